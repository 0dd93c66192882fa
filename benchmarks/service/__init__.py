"""`python -m benchmarks.service` times the service on 1,000 to 1,000,000 accounts.

Requests go through AWS's runtime client, with the function alone on one core. Each row is compared
with a limit, and the last table shows how medians grow with the number of accounts.
"""

from benchmarks.service.run import main

__all__ = ["main"]
