"""Chooses the ports of a checkout once and stores them.

They are state, because the built site contains the URL of the API.
"""

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

MAX_PORT = 65_535
CHOSEN_FROM = range(20_000, 32_000, 2)
"""Above the ports that programs use by default, below those that systems give to outgoing
connections (from 32768 on Linux, 49152 on macOS)."""

ADVICE = "choose another port for the API with --port (the site gets the next)"


@dataclass(frozen=True, kw_only=True)
class StackPorts:
    """The ports of one stack; `postgres` is the same for all stacks."""

    api: int
    site: int
    postgres: int


class Ports:
    """The ports of all stacks, stored in a file. Used by the holder of the supervisor's lock only.

    The file contains `{"stacks": {STACK: PORT of the API}, "postgres": PORT}`; a stack's site has
    the port after its API's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._postgres: int | None = None

    def choose(self, stack: str, *, port: int | None = None) -> StackPorts:
        """Return the stack's ports, which are free now; choose and store them if it has none.

        `port` replaces the API's port and is stored. Raises UserError when the port of the API or
        the site is in use. One for Postgres that is in use is replaced, because no built file
        contains it.
        """
        if port is not None and not 1 <= port < MAX_PORT:
            raise UserError(
                f"--port {port}: a port for the API is from 1 to {MAX_PORT - 1}, because the site "
                f"gets the next one."
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
                candidate
                for candidate in _candidates()
                if not {candidate, candidate + 1} & {*reserved, postgres}
                and is_free(candidate, candidate + 1)
            )
        )
        for number, what in ((api, "the API"), (api + 1, "the site")):
            check_free(number, what)
        reserved |= {api, api + 1}
        # A port that this object chose before is in use by the Postgres of this very supervisor.
        if (
            postgres is None
            or postgres in reserved
            or (postgres != self._postgres and not is_free(postgres))
        ):
            postgres = next(n for n in _candidates() if n not in reserved and is_free(n))
        self._postgres = postgres
        self._write({**stacks, stack: api}, postgres)
        return StackPorts(api=api, site=api + 1, postgres=postgres)

    def forget(self, stack: str) -> None:
        """Remove a stack, so that its ports may be chosen for another one."""
        stacks, postgres = self._read()
        if stacks.pop(stack, None) is not None:
            self._write(stacks, postgres)

    def _write(self, stacks: dict[str, int], postgres: int | None) -> None:
        content = {"stacks": stacks, "postgres": postgres}
        write_private(self._path, json.dumps(content, indent=2) + "\n")

    def _read(self) -> tuple[dict[str, int], int | None]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            stacks = cast("dict[str, int]", content["stacks"])
            postgres = cast("int", content["postgres"])
            if not all(
                type(port) is int and 1 <= port < MAX_PORT for port in (*stacks.values(), postgres)
            ):
                raise ValueError("not a port")
        except FileNotFoundError:
            return {}, None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{self._path} is damaged ({error}). Delete it, and new ports are chosen; the data "
                f"does not depend on it."
            ) from None
        return stacks, postgres


@functools.cache
def loopback() -> tuple[str, ...]:
    """Return the addresses that servers listen on: 127.0.0.1 and, if it is configured, ::1."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return ("127.0.0.1",)
    return ("127.0.0.1", "::1")


def is_free(*ports: int) -> bool:
    """Return whether servers could listen on the ports now, on every loopback address.

    Raises PermissionError for a port that only root may listen on.
    """
    return all(_is_free(address, port) for port in ports for address in loopback())


def check_free(port: int, what: str, advice: str = ADVICE) -> None:
    """Raise UserError, with the advice, when `what` ("the API") cannot listen on the port."""
    try:
        free = is_free(port)
    except PermissionError:
        raise UserError(
            f"Port {port} for {what} needs root, as ports below 1024 often do. Choose another with "
            f"--port."
        ) from None
    if not free:
        raise port_in_use(port, what, advice)


def port_in_use(port: int, what: str, advice: str = ADVICE) -> UserError:
    """Return the error for a port that another process listens on.

    It names the process if this user has the right to see it.
    """
    process = _listening_process(port) or "another process"
    return UserError(f"Port {port} for {what} is taken by {process}. End that, or {advice}.")


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
    # Some systems permit this bind although a server listens on all addresses (0.0.0.0): connect.
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) != 0


def _listening_process(port: int) -> str | None:
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
        "No port is free between 20000 and 32000. End the programs that use them, or choose one "
        "for the API with --port."
    )
