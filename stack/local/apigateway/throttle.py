"""API Gateway's throttle: a bucket that holds `burst` tokens and gets `rate` new ones a second."""

from collections.abc import Callable
from time import monotonic


class TokenBucket:
    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self.rate, self.burst = rate, burst
        self._clock, self._tokens, self._filled = clock, float(burst), clock()

    def take(self) -> bool:
        """Whether a request may pass."""
        now = self._clock()
        self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
