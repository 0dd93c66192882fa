"""Logs JSON lines to standard output, from where Lambda sends them to the log group.

Never log bodies, names of customers, or keys.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

logger: Final = logging.getLogger("service")

_FIELDS: Final = "fields"


class _StdoutHandler(logging.Handler):
    """Looks up `sys.stdout` for each line, because the runtime client replaces it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stdout.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - a failure to log must not fail the request
            self.handleError(record)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = _trace(record.exc_info[1])
        return json.dumps(line, default=str)


def _trace(error: BaseException) -> list[str]:
    """Return classes, files and lines, without messages: those can hold what a client sent."""
    lines: list[str] = []
    current: BaseException | None = error
    while current is not None and len(lines) < 100:
        lines.append(f"{type(current).__module__}.{type(current).__qualname__}")
        trace = current.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            lines.append(f"  {code.co_filename}:{trace.tb_lineno} {code.co_qualname}")
            trace = trace.tb_next
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return lines


def configure() -> None:
    """Set the logger up, once."""
    if not logger.handlers:
        handler = _StdoutHandler()
        handler.setFormatter(_JsonFormatter())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False


def log(
    message: str, *, level: int = logging.INFO, error: BaseException | None = None, **fields: object
) -> None:
    logger.log(level, message, extra={_FIELDS: fields}, exc_info=error)
