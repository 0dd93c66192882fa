"""API Gateway's throttling, a token bucket."""

from collections.abc import Callable
from time import monotonic


class TokenBucket:
    """Holds up to `burst` tokens and gets `rate` new ones a second. clock: in seconds."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self.rate, self.burst = rate, burst
        self._clock, self._tokens, self._filled_at = clock, float(burst), clock()

    def take(self) -> bool:
        """Take a token for a request; False when there is none."""
        now = self._clock()
        self._tokens = min(self.burst, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
