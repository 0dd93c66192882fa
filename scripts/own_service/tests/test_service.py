"""The service on a real database: migrations and the health event."""

from typing import Any

import pytest

from service import handler, migrate, upkeep
from service.migrations import MIGRATIONS


def test_a_version_is_healthy_once_the_database_has_its_migrations(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url)
    with pytest.raises(Exception, match="migrations"):
        handler.handler({"source": "health"}, None)
    assert migrate.handler({}, None) == {"applied": len(MIGRATIONS)}
    assert migrate.handler({}, None) == {"applied": 0}
    assert handler.handler({"source": "health"}, None) == {"healthy": True}


def test_the_upkeep_function_takes_the_event_of_its_schedule() -> None:
    assert upkeep.handler({"source": "upkeep"}, None) == {"finished": True}
