"""A local stack with API keys: the packaged service behind the gateway, with its own database."""

import hashlib
import json
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support import checkout
from tests.support.checkout import request

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))
"""Examples of each operation, besides those of the phase that tests the bounds of parameters."""
LONG = "FUZZ_EXAMPLES" in os.environ
SEED = int(os.environ.get("FUZZ_SEED") or (random.randrange(2**32) if LONG else 1))


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class Deployed:
    """`key`: may read and write. `origin`: the site's."""

    url: str
    key: str
    database_url: str
    origin: str

    def __call__(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
        **query: Any,
    ) -> Response:
        keyed = {"x-api-key": self.key, **(headers or {})}
        return Response(
            *request(
                f"{self.url}{path}?{urlencode(query, doseq=True)}", method, headers=keyed, body=body
            )
        )


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    copy = checkout.make(tmp_path_factory.mktemp("deployed") / "checkout")
    hashed = hashlib.sha256(b"secret").hexdigest()
    (copy.root / ".local" / "config.yaml").write_text(
        f"apiKeys: tests:write:{hashed}\napiKeysProtectReads: true\n"
    )
    try:
        with copy.up("--no-frontend") as outputs:
            yield Deployed(
                outputs["api_url"], "tests.secret", outputs["database_url"], outputs["frontend_url"]
            )
    finally:
        copy.run("reset", "--yes")


@pytest.fixture
def deployed(running: Deployed) -> Deployed:
    """The stack with thirty sample accounts and no data of other tests."""
    response = running(
        "POST", "/ingest/generate-mock", count=30, seed=1, replace="true", confirm="replace-all"
    )
    assert response.status == 200, response.content
    return running
