"""The whole stack with keys on: the zip under the runtime client, behind the gateway, on a database of its own."""

import hashlib
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import checkout
from tests.checkout import request

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))
"""Of each operation, beside those of the phase that goes through every parameter's bounds."""
LONG = "FUZZ_EXAMPLES" in os.environ
SEED = int(os.environ.get("FUZZ_SEED") or (random.randrange(2**32) if LONG else 1))


@dataclass(frozen=True)
class Fuzzed:
    """`key`: may read and write."""

    url: str
    key: str


@pytest.fixture(scope="session")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    copy = checkout.make(tmp_path_factory.mktemp("fuzz") / "checkout")
    hashed = hashlib.sha256(b"secret").hexdigest()
    (copy.root / ".local" / "config.yaml").write_text(f"apiKeys: fuzz:write:{hashed}\napiKeysProtectReads: true\n")
    try:
        with copy.up("--no-frontend") as outputs:
            found = Fuzzed(outputs["api_url"], "fuzz.secret")
            status, _, body = request(f"{found.url}/ingest/generate-mock?count=30&seed=1", "POST", headers={"x-api-key": found.key})
            assert status == 200, body
            yield found
    finally:
        copy.run("reset", "--yes")
