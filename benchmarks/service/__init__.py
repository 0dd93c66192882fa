"""`python -m benchmarks.service`: the service on its database, from 1,000 to 1,000,000 accounts, against what it may take.

Through the real runtime client with the function alone on one core, which is what limits are for, and over HTTP through the local gateway.
With PEER_URL and PEER_DSN, beside the reference app too.
"""

from benchmarks.service.run import main

__all__ = ["main"]
