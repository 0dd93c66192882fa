"""Invented accounts with a believable half year behind them: pure, and the same for the same seed and day."""

from service.samples.generate import Sample, generate

__all__ = ["Sample", "generate"]
