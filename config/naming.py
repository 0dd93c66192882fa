"""Physical names: project, stack and, where it is not the default, region. Cut with a hash, never plainly.

A name that two stacks could share would let one stack take over the other's resource, so every change that
fits a name to a service (cutting, lower-casing, replacing characters) adds a hash of the whole name.
"""

import hashlib
import re
from dataclasses import dataclass

DEFAULT_REGION = "us-east-1"

LAMBDA_LIMIT = 64  # FunctionName, CreateFunction
ROLE_LIMIT = 64  # RoleName, CreateRole; names that differ in case only are one
API_LIMIT = 128  # Name, CreateApi
LAYER_LIMIT = 140  # LayerName, PublishLayerVersion
LOG_GROUP_LIMIT = 512  # logGroupName, CreateLogGroup
VERCEL_LIMIT = 52  # project name, [a-z0-9-]
NEON_LIMIT = 64  # project name
POSTGRES_LIMIT = 63  # identifiers, NAMEDATALEN - 1

_HASH_LENGTH = 6
_ENDS_IN_HASH = re.compile(r"[-_][0-9a-f]{6}")
_ENDS_IN_REGION = re.compile(
    rf".*-(?!{DEFAULT_REGION}$)[a-z]{{2}}(-[a-z]+)?-(north|south|east|west|central)[a-z]*-[0-9]"
)


def fit(name: str, limit: int, *, allowed: str = "A-Za-z0-9_-", filler: str = "-") -> str:
    """Return `name` as a service takes it: at most `limit` characters out of the class `allowed`.

    Unchanged when it fits already; else every other character becomes `filler`, and the end is a hash of the whole.
    A name that ends like such a hash gets one too, so that no name can be what another is made into.
    """
    cleaned = re.sub(f"[^{allowed}]", filler, name if "A-Z" in allowed else name.lower())
    if (
        cleaned == name
        and len(name) <= limit
        and not _ENDS_IN_HASH.fullmatch(name[-_HASH_LENGTH - 1 :])
    ):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{cleaned[: limit - _HASH_LENGTH - 1].rstrip(filler)}{filler}{digest}"


@dataclass(frozen=True, kw_only=True)
class Names:
    """The physical names of one stack's resources."""

    project: str
    stack: str
    region: str

    @property
    def prefix(self) -> str:
        """`<project>-<stack>`, with the region where it is not the default one (IAM is global, and so are Vercel and Neon).

        A stack whose own name ends in a region gets a slash, which fits nowhere and so brings a hash: stack
        `dev-eu-west-2` is not stack `dev` in eu-west-2.
        """
        plain = f"{self.project}-{self.stack}"
        if self.region != DEFAULT_REGION:
            return f"{plain}-{self.region}"
        return f"{plain}/{self.region}" if _ENDS_IN_REGION.fullmatch(self.stack) else plain

    def _named(self, part: str) -> str:
        return f"{self.prefix}-{part}"

    @property
    def api(self) -> str:
        return fit(self.prefix, API_LIMIT)

    @property
    def function(self) -> str:
        return fit(self._named("api"), LAMBDA_LIMIT)

    @property
    def migration_function(self) -> str:
        return fit(self._named("migrate"), LAMBDA_LIMIT)

    @property
    def function_role(self) -> str:
        return fit(self._named("api"), ROLE_LIMIT, allowed="a-z0-9_-")

    @property
    def migration_role(self) -> str:
        return fit(self._named("migrate"), ROLE_LIMIT, allowed="a-z0-9_-")

    @property
    def layer(self) -> str:
        return fit(self._named("dependencies"), LAYER_LIMIT)

    @property
    def function_log_group(self) -> str:
        return f"/aws/lambda/{self.function}"

    @property
    def migration_log_group(self) -> str:
        return f"/aws/lambda/{self.migration_function}"

    @property
    def access_log_group(self) -> str:
        """Under /aws/vendedlogs/, where one entry of the account's log policy serves every stack."""
        return fit(
            f"/aws/vendedlogs/{self.prefix}-access", LOG_GROUP_LIMIT, allowed="A-Za-z0-9_/.#-"
        )

    @property
    def vercel_project(self) -> str:
        return fit(self.prefix, VERCEL_LIMIT, allowed="a-z0-9-")

    @property
    def neon_project(self) -> str:
        return fit(self.prefix, NEON_LIMIT)

    @property
    def neon_branch(self) -> str:
        """On one machine also the name of the branch's database and of its role."""
        return fit(self.prefix, POSTGRES_LIMIT)

    @property
    def database(self) -> str:
        """Also the role's name: it holds the stack's, so that two stacks can share one server on one machine."""
        plain = self.prefix if "_" in self.prefix else self.prefix.replace("-", "_")
        return fit(plain, POSTGRES_LIMIT, allowed="a-z0-9_", filler="_")
