"""Physical names of resources: project, stack and, unless it is the default one, region.

If two stacks could have the same name for a resource, one stack could take over the resource of the
other. So a name that is changed to fit a service (cut, lower-cased, characters replaced) ends in a
hash of the whole name.
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
SCHEDULE_LIMIT = 64  # Name, CreateSchedule and CreateScheduleGroup
POSTGRES_LIMIT = 63  # identifiers, NAMEDATALEN - 1

_HASH_LENGTH = 6
_ENDS_IN_HASH = re.compile(r"[-_][0-9a-f]{6}")
_ENDS_IN_REGION = re.compile(
    rf".*-(?!{DEFAULT_REGION}$)[a-z]{{2}}(-[a-z]+)?-(north|south|east|west|central)[a-z]*-[0-9]"
)


def fit(name: str, limit: int, *, allowed: str = "A-Za-z0-9_-", filler: str = "-") -> str:
    """Return a name that a service accepts: at most `limit` characters of the class `allowed`.

    A name that fits is returned unchanged. In any other, `filler` replaces the characters that are
    not allowed, and the end is a hash of the whole name. A name that ends like such a hash gets a
    hash too, so that no name equals the changed form of another.
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
        """Return `<project>-<stack>`, followed by the region unless it is the default one.

        IAM, Vercel and Neon have no regions, so names in different regions have to differ. The
        default region is added only to a stack whose own name ends in a region, after a slash, for
        which most services get a hash: the stack `dev-eu-west-2` does not have the names of the
        stack `dev` in eu-west-2.
        """
        plain = f"{self.project}-{self.stack}"
        if self.region != DEFAULT_REGION:
            return f"{plain}-{self.region}"
        return f"{plain}/{self.region}" if _ENDS_IN_REGION.fullmatch(self.stack) else plain

    def _with_suffix(self, suffix: str) -> str:
        return f"{self.prefix}-{suffix}"

    @property
    def api(self) -> str:
        return fit(self.prefix, API_LIMIT)

    @property
    def function(self) -> str:
        return fit(self._with_suffix("api"), LAMBDA_LIMIT)

    @property
    def migration_function(self) -> str:
        return fit(self._with_suffix("migrate"), LAMBDA_LIMIT)

    @property
    def upkeep_function(self) -> str:
        return fit(self._with_suffix("upkeep"), LAMBDA_LIMIT)

    @property
    def function_role(self) -> str:
        return fit(self._with_suffix("api"), ROLE_LIMIT, allowed="a-z0-9_-")

    @property
    def migration_role(self) -> str:
        return fit(self._with_suffix("migrate"), ROLE_LIMIT, allowed="a-z0-9_-")

    @property
    def upkeep_role(self) -> str:
        return fit(self._with_suffix("upkeep"), ROLE_LIMIT, allowed="a-z0-9_-")

    @property
    def schedule_role(self) -> str:
        return fit(self._with_suffix("schedule"), ROLE_LIMIT, allowed="a-z0-9_-")

    @property
    def schedule_group(self) -> str:
        return fit(self._with_suffix("schedules"), SCHEDULE_LIMIT)

    @property
    def upkeep_schedule(self) -> str:
        return fit(self._with_suffix("upkeep"), SCHEDULE_LIMIT)

    @property
    def layer(self) -> str:
        return fit(self._with_suffix("dependencies"), LAYER_LIMIT)

    @property
    def function_log_group(self) -> str:
        return f"/aws/lambda/{self.function}"

    @property
    def migration_log_group(self) -> str:
        return f"/aws/lambda/{self.migration_function}"

    @property
    def upkeep_log_group(self) -> str:
        return f"/aws/lambda/{self.upkeep_function}"

    @property
    def access_log_group(self) -> str:
        """Return a name under /aws/vendedlogs/.

        There one entry of the account's log resource policy serves all stacks; the size of that
        policy is limited (CloudWatch Logs documentation, vended logs).
        """
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
        """Return the name of the branch; locally also that of its database and its role."""
        return fit(self.prefix, POSTGRES_LIMIT)

    @property
    def database(self) -> str:
        """Return the name of the database and of its role.

        It contains the stack's name, because local stacks share one server.
        """
        plain = self.prefix if "_" in self.prefix else self.prefix.replace("-", "_")
        return fit(plain, POSTGRES_LIMIT, allowed="a-z0-9_", filler="_")
