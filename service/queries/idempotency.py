"""The answers to writes that carried an `Idempotency-Key`, kept in the write's own transaction: both are there or neither."""

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from psycopg2.extensions import cursor

HOURS: Final = 24
"""An answer is given again for so long."""

_TAKE: Final = "SELECT pg_try_advisory_xact_lock(%(lock)s)"
"""Held until the transaction ends, in whatever way: a request that crashed leaves nothing that could be in the way of the next."""
_FIND: Final = f"""
    SELECT request, body, headers::text FROM idempotency_records
    WHERE key = %(key)s AND created_at > now() - interval '{HOURS} hours'
"""
_KEEP: Final = """
    INSERT INTO idempotency_records (key, request, body, headers) VALUES (%(key)s, %(request)s, %(body)s, %(headers)s)
    ON CONFLICT (key) DO UPDATE
    SET request = excluded.request, body = excluded.body, headers = excluded.headers, created_at = excluded.created_at
"""
_FORGET: Final = f"""
    DELETE FROM idempotency_records WHERE key IN (
        SELECT key FROM idempotency_records WHERE created_at < now() - interval '{HOURS} hours' LIMIT 100 FOR UPDATE SKIP LOCKED
    )
"""


class WriteResult(NamedTuple):
    """What was answered with 200: a JSON text and the headers beside it."""

    body: str
    headers: Mapping[str, str]


def take(statements: cursor, key: bytes) -> bool:
    """Whether no other request with this key (a SHA-256) is running. It is this one's until its transaction ends."""
    statements.execute(_TAKE, {"lock": int.from_bytes(key[:8], "big", signed=True)})
    return bool((statements.fetchone() or (False,))[0])


def find(statements: cursor, key: bytes) -> tuple[bytes, WriteResult] | None:
    """The request (its SHA-256) that this key was used for, and its answer."""
    statements.execute(_FIND, {"key": key})
    row = statements.fetchone()
    return row and (bytes(row[0]), WriteResult(row[1], json.loads(row[2])))


def keep(statements: cursor, key: bytes, request: bytes, answer: WriteResult) -> None:
    statements.execute(_FORGET)
    statements.execute(
        _KEEP,
        {
            "key": key,
            "request": request,
            "body": answer.body,
            "headers": json.dumps(dict(answer.headers)),
        },
    )
