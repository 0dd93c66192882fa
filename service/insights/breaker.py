"""A circuit breaker for the endpoint of the model."""

import time
from collections.abc import Callable
from typing import Final

FAILURES: Final = 3
"""Failures in a row that open the breaker."""
OPEN_SECONDS: Final = 30.0
"""After this time one request tries again, which closes the breaker or opens it for as long.

An endpoint that is down gets at most four requests in 30 s from one execution environment.
"""


class Breaker:
    """Each execution environment has one, and serves one request at a time.

    It uses the wall clock, which advances while Lambda has frozen the environment.
    """

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
