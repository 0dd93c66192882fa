"""Stores the responses to writes with an `Idempotency-Key`, in the transaction of the write:
a write and its stored response are committed together or not at all."""

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from psycopg2.extensions import cursor

HOURS: Final = 24
"""For how long a stored response is repeated."""

_TAKE: Final = "SELECT pg_try_advisory_xact_lock(%(lock)s)"
"""A lock that ends with its transaction, so that a request that crashed never blocks the next."""
_FIND: Final = f"""
    SELECT request, body, headers::text FROM idempotency_records
    WHERE key = %(key)s AND created_at > now() - interval '{HOURS} hours'
"""
_KEEP: Final = """
    INSERT INTO idempotency_records (key, request, body, headers)
    VALUES (%(key)s, %(request)s, %(body)s, %(headers)s)
    ON CONFLICT (key) DO UPDATE SET
        request = excluded.request, body = excluded.body, headers = excluded.headers,
        created_at = excluded.created_at
"""
_DELETE_EXPIRED: Final = f"""
    DELETE FROM idempotency_records WHERE key IN (
        SELECT key FROM idempotency_records WHERE created_at < now() - interval '{HOURS} hours'
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
"""


class WriteResult(NamedTuple):
    """A response with status 200: its body, a JSON text, and the headers that belong to it."""

    body: str
    headers: Mapping[str, str]


def take(statements: cursor, key: bytes) -> bool:
    """Lock the key (a SHA-256) until the transaction ends; False when another request has it."""
    statements.execute(_TAKE, {"lock": int.from_bytes(key[:8], "big", signed=True)})
    return bool((statements.fetchone() or (False,))[0])


def find(statements: cursor, key: bytes) -> tuple[bytes, WriteResult] | None:
    """Return the request (its SHA-256) that the key was used for, and its response."""
    statements.execute(_FIND, {"key": key})
    row = statements.fetchone()
    return row and (bytes(row[0]), WriteResult(row[1], json.loads(row[2])))


def keep(statements: cursor, key: bytes, request: bytes, result: WriteResult) -> None:
    """Store a response, and delete some that have expired."""
    delete_expired(statements, limit=100)
    statements.execute(
        _KEEP,
        {
            "key": key,
            "request": request,
            "body": result.body,
            "headers": json.dumps(dict(result.headers)),
        },
    )


def delete_expired(statements: cursor, *, limit: int) -> int:
    """Delete up to `limit` responses that are no longer repeated; return how many."""
    statements.execute(_DELETE_EXPIRED, {"limit": limit})
    return statements.rowcount
