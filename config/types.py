"""Types of the configuration: the stack's identity, and values that components take together."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StackIdentity:
    """The stack that is configured: what the rules of single keys may depend on.

    local: whether the stack is deployed to the local cloud (see docs/decisions/0010).
    """

    project: str
    stack: str
    local: bool
    aws_region: str


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """Size of a Lambda function.

    memory: in MB; Lambda allots CPU in proportion to it.
    timeout: in seconds.
    reserved_concurrency: execution environments that are reserved; 0 reserves none.
    """

    memory: int
    timeout: int
    reserved_concurrency: int = 0


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """Throttling of an API Gateway stage, which returns 429 above it.

    rate: requests per second in the long run.
    burst: requests that may arrive at once.
    """

    rate: int
    burst: int


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Autoscaling of a Neon compute.

    min_cu, max_cu: limits in compute units.
    suspend_seconds: idle time until the compute is suspended; 0 is Neon's default.
    """

    min_cu: float
    max_cu: float
    suspend_seconds: int


@dataclass(frozen=True, kw_only=True)
class BranchOf:
    """A branch to create from the protected default branch of a Neon project.

    project: id of the parent project.
    name: name of the new branch.
    one_server: whether all branches share one PostgreSQL server, as in the local cloud. Two
        databases or roles of one server cannot have the same name, so database and role are then
        named after the branch. At Neon a branch inherits their names.
    """

    project: str
    name: str
    one_server: bool
