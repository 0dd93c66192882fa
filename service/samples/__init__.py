"""Generates sample accounts with half a year of history, the same for the same seed and day."""

from service.samples.generate import Sample, generate

__all__ = ["Sample", "generate"]
