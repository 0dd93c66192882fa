"""The ports of a checkout, chosen once and kept: the site has the API's address inlined, so they are state."""

import contextlib
import errno
import functools
import json
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil

from common.errors import UserError
from stack.local.system.files import write_private

LAST = 65_535
CHOSEN_FROM = range(20_000, 32_000, 2)
"""Where ports are chosen from: below what systems hand out to outgoing connections, above what programs use by default."""

ADVICE = "choose another port for the API with --port (the site gets the next)"


@dataclass(frozen=True, kw_only=True)
class StackPorts:
    api: int
    site: int
    postgres: int


class Ports:
    """Kept in `ports.json`: `{"stacks": {STACK: PORT of the API}, "postgres": PORT}`. For the holder of the supervisor's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._postgres: int | None = None

    def choose(self, stack: str, *, port: int | None = None) -> StackPorts:
        """The stack's ports, free at this moment; `port` overrides the API's and is remembered. All stacks share the port for Postgres.

        Raises UserError when the API's or the site's is taken. One for Postgres that is taken is replaced: nothing holds on to it.
        """
        if port is not None and not 1 <= port < LAST:
            raise UserError(
                f"--port {port}: a port for the API is from 1 to {LAST - 1}, because the site gets the next one."
            )
        stacks, postgres = self._read()
        reserved = {
            number
            for name, first in stacks.items()
            if name != stack
            for number in (first, first + 1)
        }
        api = (
            port
            or stacks.get(stack)
            or next(
                n
                for n in _candidates()
                if not {n, n + 1} & {*reserved, postgres} and is_free(n, n + 1)
            )
        )
        for number, what in ((api, "the API"), (api + 1, "the site")):
            check_free(number, what)
        reserved |= {api, api + 1}
        if (
            postgres is None
            or postgres in reserved
            or (postgres != self._postgres and not is_free(postgres))
        ):
            postgres = next(n for n in _candidates() if n not in reserved and is_free(n))
        self._postgres = postgres
        write_private(
            self._path,
            json.dumps({"stacks": {**stacks, stack: api}, "postgres": postgres}, indent=2) + "\n",
        )
        return StackPorts(api=api, site=api + 1, postgres=postgres)

    def forget(self, stack: str) -> None:
        """The stack's ports may be chosen for another one."""
        stacks, postgres = self._read()
        if stacks.pop(stack, None) is not None:
            write_private(
                self._path, json.dumps({"stacks": stacks, "postgres": postgres}, indent=2) + "\n"
            )

    def _read(self) -> tuple[dict[str, int], int | None]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            stacks, postgres = (
                cast("dict[str, int]", content["stacks"]),
                cast("int", content["postgres"]),
            )
            if not all(
                type(port) is int and 1 <= port < LAST for port in (*stacks.values(), postgres)
            ):
                raise ValueError("not a port")
        except FileNotFoundError:
            return {}, None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{self._path} is damaged ({error}). Delete it and new ports are chosen; the data does not depend on it."
            ) from None
        return stacks, postgres


@functools.cache
def loopback() -> tuple[str, ...]:
    """The addresses that servers listen on: 127.0.0.1 and, where this machine has it, ::1."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return ("127.0.0.1",)
    return ("127.0.0.1", "::1")


def is_free(*ports: int) -> bool:
    """Whether servers could listen on the ports now, on every loopback address. Raises PermissionError for a port that needs root."""
    return all(_is_free(address, port) for port in ports for address in loopback())


def check_free(port: int, what: str, advice: str = ADVICE) -> None:
    """Raises UserError when `what` ("the API") cannot listen on the port, with advice on what else to do."""
    try:
        free = is_free(port)
    except PermissionError:
        raise UserError(
            f"Port {port} for {what} needs root, as ports below 1024 often do. Choose another with --port."
        ) from None
    if not free:
        raise taken(port, what, advice)


def taken(port: int, what: str, advice: str = ADVICE) -> UserError:
    """The error for a port that another process listens on; names the process where this user may know it."""
    return UserError(
        f"Port {port} for {what} is taken by {_holder(port) or 'another process'}. End that, or {advice}."
    )


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    # some systems let an address be bound beside a server that listens on all addresses
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) != 0


def _holder(port: int) -> str | None:
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr[1:] == (port,)
                and connection.pid is not None
            ):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return None


def _candidates() -> Iterator[int]:
    for _ in range(1_000):
        yield secrets.choice(CHOSEN_FROM)
    raise UserError(
        "No port is free between 20000 and 32000. End what holds them, or choose one for the API with --port."
    )
