"""Resource handler of Neon projects: a role and a database on the embedded Postgres server."""

import secrets
from collections.abc import Mapping
from typing import Any

import pulumi_neon as neon

from common.errors import UserError
from config.rules import NEON_REGIONS
from stack.local.neon.postgres.server import Postgres
from stack.local.resources.base import Context, Function, all_known
from stack.local.resources.bridged import Bridged
from stack.local.resources.stored import digest

KIND = "neon-projects"


class Project(Bridged):
    """A project with its default branch.

    All projects are on one server, so each needs another name for its database.
    """

    sdk = neon.Project
    data_loss = "its databases with their data"
    supported = frozenset(
        {
            "name",
            "regionId",
            "pgVersion",
            "historyRetentionSeconds",
            "storePassword",
            "branch",
            "defaultEndpointSettings",
            "orgId",
            "defaultBranchProtected",
        }
    )
    replaces = frozenset({"regionId", "pgVersion", "branch", "orgId"})
    # An existing database keeps its name: at Neon it changes with a new project only.
    no_local_effect = replaces
    secrets = frozenset({"connectionUri", "connectionUriPooler", "databasePassword"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        failures: list[str] = []
        regions = [f"aws-{name}" for name in NEON_REGIONS]
        if all_known(inputs, "regionId") and inputs.get("regionId") not in regions:
            failures.append(
                f"regionId is {inputs.get('regionId')!r}, Neon offers {', '.join(regions)}"
            )
        if (
            all_known(inputs, "branch")
            and not {"roleName", "databaseName"} <= (inputs.get("branch") or {}).keys()
        ):
            failures.append("branch needs roleName and databaseName")
        if inputs.get("historyRetentionSeconds") is None:
            failures.append(
                "historyRetentionSeconds is missing: the provider's default is refused on the "
                "Free plan"
            )
        return failures

    def must_delete_before_create(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> bool:
        # The name of a database is unique on the server: one of the same name must go first.
        record = context.cloud.store.get(KIND, identity)
        return (
            record is not None
            and all_known(inputs, "branch")
            and record["database"] == inputs["branch"]["databaseName"]
        )

    def create(self, context: Context, inputs: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        store, postgres = context.cloud.store, context.cloud.service(Postgres)
        role, database = inputs["branch"]["roleName"], inputs["branch"]["databaseName"]
        mine = store.find(KIND, owner=context.urn, database=database, role=role)
        for record in store.find(KIND, database=database).values():
            if record["owner"] != context.urn:
                raise UserError(
                    f"the database {database!r} belongs to {record['owner'].split('::')[-1]!r} "
                    f"already: give this one another name"
                )
        # A creation that was interrupted left a record of this owner: it is continued, so that the
        # project keeps its id and password.
        new_identity = f"local-{secrets.token_hex(4)}"
        identity, existing = next(iter(mine.items()), (new_identity, {}))
        if existing and not postgres.database_exists(database):
            # The data has gone. A new id makes dependent resources (migrations) run again.
            store.remove(KIND, identity)
            identity, existing = new_identity, {}
        password = existing.get("password") or secrets.token_urlsafe(24)
        protected = bool(inputs.get("defaultBranchProtected"))
        record = {
            "owner": context.urn,
            "role": role,
            "database": database,
            "password": password,
            "protected": protected,
        }
        store.put(KIND, identity, {**record, "name": inputs.get("name", "")})
        postgres.create_role(role, password)
        postgres.create_database(database, role)
        return identity, _outputs(context, identity, role, database, password)

    def update(
        self, context: Context, identity: str, old: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        record = context.cloud.store.get(KIND, identity) or {}
        protected = bool(inputs.get("defaultBranchProtected"))
        context.cloud.store.put(
            KIND, identity, {**record, "protected": protected, "name": inputs.get("name", "")}
        )
        return _outputs(context, identity, record["role"], record["database"], record["password"])

    def read(
        self, context: Context, identity: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        record = context.cloud.store.get(KIND, identity)
        if record is None or not context.cloud.service(Postgres).database_exists(
            record["database"]
        ):
            return None
        return {
            **outputs,
            **_outputs(context, identity, record["role"], record["database"], record["password"]),
        }

    def lost_data(self, context: Context, identity: str) -> str:
        record = context.cloud.store.get(KIND, identity)
        return rows_of(context, record["database"]) if record else ""

    def delete(self, context: Context, identity: str, inputs: Mapping[str, Any]) -> None:
        record = context.cloud.store.get(KIND, identity)
        if record is None:
            return
        others = [
            other
            for other in context.cloud.store.find(KIND, database=record["database"])
            if other != identity
        ]
        if not others:
            context.cloud.service(Postgres).drop_database(record["database"])
            context.cloud.service(Postgres).drop_role(record["role"])
        context.cloud.store.remove(KIND, identity)


def _outputs(
    context: Context, identity: str, role: str, database: str, password: str
) -> Mapping[str, Any]:
    host = f"localhost:{context.cloud.service(Postgres).port}"
    # Not percent-encoded, like Neon's own.
    uri = f"postgres://{role}:{password}@{host}/{database}"
    return {
        "connectionUri": uri,
        "connectionUriPooler": uri,
        "databaseHost": host,
        "databaseHostPooler": host,
        "databaseName": database,
        "databasePassword": password,
        "databaseUser": role,
        "defaultBranchId": default_branch(identity),
        "defaultEndpointId": f"ep-{digest(identity, 'endpoint')}",
    }


def rows_of(context: Context, database: str) -> str:
    """Return the numbers of rows of a database by table, such as `20 rows of accounts`."""
    counts = context.cloud.service(Postgres).row_counts(database)
    return ", ".join(
        f"{count:,} row{'' if count == 1 else 's'} of {table}" for table, count in counts.items()
    )


def default_branch(project: str) -> str:
    """Return the id of a project's default branch."""
    return f"br-{digest(project, 'branch')}"


class GetProject(Function):
    """Returns the outputs of a project of any local stack."""

    token = "neon:index/getProject:getProject"  # noqa: S105 - a function's
    results = frozenset({"name"}) | (Project().computed - {"defaultEndpointId"})
    secrets = Project.secrets

    def call(self, context: Context, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        record = context.cloud.store.get(KIND, arguments["id"])
        if record is None:
            raise UserError(
                f"there is no Neon project {arguments['id']!r} on this machine: `stack outputs "
                f"neon_project_id` prints the id of one"
            )
        found = _outputs(
            context, arguments["id"], record["role"], record["database"], record["password"]
        )
        return {"name": record.get("name", ""), **found}


HANDLERS = (Project(),)
FUNCTIONS = (GetProject(),)
