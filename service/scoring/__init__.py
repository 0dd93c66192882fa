"""Computes the health score: pure functions, with all constants in `rules`."""

from service.scoring.factors import Factor, factors, reasons, unknown
from service.scoring.score import Inputs, Score, score

__all__ = ["Factor", "Inputs", "Score", "factors", "reasons", "score", "unknown"]
