"""Requests with unusual bytes in headers, paths, queries and bodies."""

import socket
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.deployed.conftest import EXAMPLES, SEED, Deployed

pytestmark = [pytest.mark.xdist_group("deployed"), pytest.mark.timeout(3600)]

OPERATIONS = (
    *(
        "GET /",
        "GET /accounts",
        "GET /accounts/{}",
        "PATCH /accounts/{}",
        "GET /accounts/{}/health-history",
        "GET /accounts/export.csv",
    ),
    *(
        "GET /portfolio/metrics",
        "GET /portfolio/attention",
        "GET /portfolio/renewals",
        "GET /portfolio/movers",
        "GET /playbooks/{}",
    ),
    *(
        "POST /ingest/csv",
        "POST /ingest/generate-mock",
        "POST /health/recompute",
        "POST /scoring/what-if",
        "POST /actions/recommend",
    ),
    *(
        "POST /insights/account/{}",
        "HEAD /health/ready",
        "GET /{}",
        "OPTIONS /accounts",
        "TRACE /accounts/{}",
        "QUERY /accounts",
        "get /",
    ),
)
QUERIES = (
    *(
        "",
        "page={}",
        "q={}",
        "{}={}",
        "region={}",
        "region={}&region={}",
        "min_score={}",
        "sort={}",
        "renewal_within_days={}",
    ),
    *(
        "limit={}",
        "days={}",
        "seed={}",
        "count=1&seed={}",
        "cursor={}",
        "dry_run={}",
        "account_id={}",
        "refresh={}",
    ),
)
HEADERS = (
    *(
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "X-Request-ID",
        "Content-Type",
        "Accept-Encoding",
        "Origin",
        "Cookie",
        "Accept",
    ),
    *(
        "X-API-Key",
        "X-Forwarded-For",
        "X-Forwarded-Port",
        "X-Amzn-Trace-Id",
        "Access-Control-Request-Method",
        "Content-Encoding",
        "Range",
    ),
)
SEGMENTS = (
    "%2F",
    "%252F",
    "%00",
    "%FF",
    "%ED%A0%80",
    "..",
    "%2e%2e",
    "-1",
    "0",
    "٣",
    "1e3",
    "NaN",
    "é",
    "𝄞",
    "%C0%80",
    str(10**30),
    "x" * 4000,
)
VALUES = (
    "\x00",
    "%",
    "%zz",
    "NaN",
    "Infinity",
    "-0",
    "1_0",
    "1e999",
    "9" * 400,
    "\ud800",
    "' OR 1=1 --",
    "\\",
    "*",
    ",,",
    '"',
    'W/"',
    "é",
    "𝄞",
)
BODIES = (
    *(
        '{"nps": NaN}',
        '{"arr": 1e999}',
        '{"arr": -Infinity}',
        f'{{"nps": {"9" * 5000}}}',
        '{"region": "\\ud800"}',
        '{"region": "\\u0000"}',
    ),
    *(
        '{"\\ud800": 1}',
        "[" * 5000,
        '{"a":' * 3000,
        "null",
        "[]",
        "{",
        '"',
        '["\\udfff"]',
        '{"arr": 1, "arr": 2}',
        '{"arr": true}',
    ),
    *(
        '{"nps": 40.0}',
        '{"renewal_date": "0000-00-00"}',
        '{"renewal_date": "10000-01-01"}',
        '{"qbr_last_date": "0001-01-01"}',
        "\ufeff{}",
    ),
)
TYPES = (
    "application/json",
    "text/csv",
    "multipart/form-data",
    'multipart/form-data; boundary="\xff"',
    "multipart/form-data; boundary=a",
)

segments = st.sampled_from(SEGMENTS) | st.text(max_size=20) | st.integers(1, 30).map(str)
values = st.sampled_from(VALUES) | st.text(max_size=30) | st.integers(1, 9).map(str)
lines = st.text("	" + "".join(map(chr, range(32, 127))), max_size=60).map(
    str.encode
) | st.binary(max_size=60).map(
    lambda text: bytes(
        byte for byte in text if byte >= 32 and byte != 127
    )  # the gateway refuses the others
)
bodies = (
    st.sampled_from(BODIES)
    | st.text(max_size=60)
    | st.just(
        '--a\r\nContent-Disposition: form-data; name="file"; filename="\x00"\r\n\r\n\x00\r\n--a--'
    )
)


def _encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="%")


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method, _, template = draw(st.sampled_from(OPERATIONS)).partition(" ")
    path = template.format(_encoded(draw(segments)))
    query = draw(st.just("") | st.sampled_from(QUERIES)).format(
        *(_encoded(draw(values)) for _ in range(2))
    )
    body = draw(bodies).encode("utf-8", "surrogatepass")
    headers = draw(st.dictionaries(st.sampled_from(HEADERS), lines, max_size=4))
    headers.setdefault("Content-Type", draw(st.sampled_from(TYPES)).encode("latin-1"))
    head = [
        f"{method} {path}?{query} HTTP/1.1".encode(),
        b"Host: localhost",
        b"Connection: close",
        b"Content-Length: %d" % len(body),
    ]
    return b"\r\n".join(
        [*head, *(name.encode() + b": " + value for name, value in headers.items()), b"", body]
    )


def send(url: str, request: bytes, key: str) -> bytes:
    address = urlsplit(url)
    first, _, rest = request.partition(b"\r\n")
    keyed = b"" if b"\r\nX-API-Key:" in request else f"X-API-Key: {key}\r\n".encode()
    with socket.create_connection(
        (address.hostname or "", address.port or 80), timeout=40
    ) as connection:
        connection.sendall(first + b"\r\n" + keyed + rest)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@seed(SEED)
@settings(
    max_examples=20 * EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType]  # all members
)
@given(request_=requests())
def test_no_bytes_cause_a_server_error(deployed: Deployed, request_: bytes) -> None:
    response = send(deployed.url, request_, deployed.key)
    head, _, body = response.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert 200 <= status < 500, response
    if b"application/problem+json" in head and not request_.startswith(b"HEAD"):
        assert b'"request_id"' in body
        assert b"x-request-id" in head.lower()
