"""The health score: pure functions over plain values, with its constants in `rules`."""

from service.scoring.factors import Factor, factors, reasons, unknown
from service.scoring.score import Inputs, Score, score

__all__ = ["Factor", "Inputs", "Score", "factors", "reasons", "score", "unknown"]
