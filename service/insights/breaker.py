"""Spares an endpoint that is down, and everybody who would wait for it."""

import time
from collections.abc import Callable
from typing import Final

FAILURES: Final = 3
"""In a row open the breaker."""
OPEN_SECONDS: Final = 30.0
"""Then one request tries again, and closes it or opens it for as long. So an endpoint that is down gets at most four in 30 s."""


class Breaker:
    """Of one execution environment, which serves one request at a time. By the wall clock, which goes on while Lambda freezes us."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._failures = 0
        self._since = 0.0

    def allows(self) -> bool:
        return self._failures < FAILURES or not 0 <= self._clock() - self._since < OPEN_SECONDS

    def failed(self) -> None:
        self._failures += 1
        self._since = self._clock()

    def succeeded(self) -> None:
        self._failures = 0
