"""Values of the configuration that belong together, as the components take them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """Memory in MB (CPU grows with it), timeout in seconds, environments reserved (0 reserves none)."""

    memory: int
    timeout: int
    reserved_concurrency: int = 0


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """Requests a second that the stage admits in the long run, and at once; above them it answers 429."""

    rate: int
    burst: int


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Compute units between which the database scales, and idle seconds until it is suspended (0: Neon's default)."""

    min_cu: float
    max_cu: float
    suspend_seconds: int


@dataclass(frozen=True, kw_only=True)
class BranchOf:
    """A branch to be made: of the protected default branch of `project` (an id), under `name`.

    one_server: whether all branches lie on one server, as on one machine, where two databases or roles cannot have one name: then both
    have the branch's. At Neon a branch inherits them.
    """

    project: str
    name: str
    one_server: bool
