"""Resource handlers of Neon branches: copies of a database on the same server.

Each has a role and a password of its own.
"""

import secrets
from collections.abc import Mapping
from typing import Any

import pulumi_neon as neon

from common.errors import UserError
from stack.local.neon import projects
from stack.local.neon.postgres.server import Postgres
from stack.local.resources.base import Context, Function, all_known
from stack.local.resources.bridged import Bridged
from stack.local.resources.stored import Stored, digest

KIND = "neon-branches"


class Branch(Bridged):
    """A branch: a copy of the default branch's database, taken once, at its creation.

    Database and role have the branch's name: all branches are on one server, so their databases
    need different names. Only the default branch of a project can be the parent.
    """

    sdk = neon.Branch
    data_loss = "the data of the branch"
    supported = frozenset({"projectId", "parentId", "name"})
    replaces = supported  # also `name`, which Neon updates: here it names database and role

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        return (
            []
            if inputs.get("name")
            else ["name is missing: the local copy of the database is named by it"]
        )

    def must_delete_before_create(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> bool:
        record = context.cloud.store.get(KIND, identity)
        return record is not None and record["name"] == inputs.get("name")

    def create(self, context: Context, inputs: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        store, postgres = context.cloud.store, context.cloud.service(Postgres)
        project, name = inputs["projectId"], inputs["name"]
        parent = _project(context, project)
        if inputs.get("parentId", projects.default_branch(project)) != projects.default_branch(
            project
        ):
            raise UserError(
                f"the project {project!r} has no branch {inputs['parentId']!r} that can be copied"
            )
        identity = f"br-{digest(context.urn, project, name)}"
        existing = store.get(KIND, identity) or {}
        password = existing.get("password") or secrets.token_urlsafe(24)
        # The record comes first: whatever is created after it, `delete` can remove.
        store.put(
            KIND,
            identity,
            {"owner": context.urn, "project": project, "name": name, "password": password},
        )
        postgres.create_role(name, password)
        postgres.copy_database(parent["database"], name, name)
        return identity, {"logicalSize": 0}

    def read(
        self, context: Context, identity: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        record = context.cloud.store.get(KIND, identity)
        if record is None:  # a default branch, which its project created
            found = self.look_up(context, f"{inputs.get('projectId')}/{identity}")
            return None if found is None else found[1]
        return outputs if context.cloud.service(Postgres).database_exists(record["name"]) else None

    def delete(self, context: Context, identity: str, inputs: Mapping[str, Any]) -> None:
        record = context.cloud.store.get(KIND, identity)
        if record is None:
            return
        context.cloud.service(Postgres).drop_database(record["name"])
        context.cloud.service(Postgres).drop_role(record["name"])
        context.cloud.store.remove(KIND, identity)

    def lost_data(self, context: Context, identity: str) -> str:
        record = context.cloud.store.get(KIND, identity)
        return projects.rows_of(context, record["name"]) if record else ""

    def look_up(self, context: Context, identity: str) -> tuple[str, Mapping[str, Any]] | None:
        """Return the default branch of a project; `identity` is `PROJECT_ID/BRANCH_ID`.

        `protected` is absent from the outputs of an unprotected branch, as with the provider.
        """
        project, _, branch = identity.partition("/")
        record = context.cloud.store.get(projects.KIND, project)
        if record is None or branch != projects.default_branch(project):
            return None
        outputs = {"projectId": project, "name": "main", "parentId": "", "logicalSize": 0}
        return branch, {**outputs, "protected": "yes"} if record.get("protected") else outputs


class Endpoint(Bridged, Stored):
    """The compute endpoint of a branch: the address of the local server."""

    sdk = neon.Endpoint
    kind = "neon-endpoints"
    supported = frozenset(
        {
            "projectId",
            "branchId",
            "type",
            "autoscalingLimitMinCu",
            "autoscalingLimitMaxCu",
            "suspendTimeoutSeconds",
        }
    )
    replaces = frozenset({"projectId", "branchId"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        if not all_known(inputs, "type") or inputs.get("type", "read_write") in (
            "read_write",
            "read_only",
        ):
            return []
        return [f"type is {inputs['type']!r}: read_write or read_only"]

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return f"ep-{digest(context.urn, inputs['branchId'])}"

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        host = f"localhost:{context.cloud.service(Postgres).port}"
        return {"host": host, "proxyHost": host}

    def read(
        self, context: Context, identity: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = super().read(context, identity, inputs, outputs)
        # The server's port may have changed since the outputs were stored.
        return None if found is None else {**found, **self.describe(context, identity, inputs)}


class GetBranchRolePassword(Function):
    """Returns the password of a branch's role; "" if there is none, as the provider does."""

    token = "neon:index/getBranchRolePassword:getBranchRolePassword"  # noqa: S105 - a function's
    results = frozenset({"password"})
    secrets = results

    def call(self, context: Context, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        record = context.cloud.store.get(KIND, arguments["branchId"]) or {}
        matches = (record.get("project"), record.get("name")) == (
            arguments["projectId"],
            arguments["roleName"],
        )
        return {"password": record["password"] if matches else ""}


def _project(context: Context, identity: str) -> Mapping[str, Any]:
    record = context.cloud.store.get(projects.KIND, identity)
    if record is None:
        raise UserError(f"there is no Neon project {identity!r} on this machine")
    return record


HANDLERS = (Branch(), Endpoint())
FUNCTIONS = (GetBranchRolePassword(),)
