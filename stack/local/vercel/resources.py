"""Resource handlers of Vercel: projects, variables, domains, and deployments, which are built."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumiverse_vercel as vercel

from common.errors import UserError
from stack.local.resources.base import Context, all_known
from stack.local.resources.stored import Stored, digest
from stack.local.vercel.projects import VercelProjects

TARGETS = {"production", "preview", "development"}


class Project(Stored):
    """A project."""

    sdk = vercel.Project
    data_loss = "its deployments and settings"
    kind = "vercel-projects"
    supported = frozenset({"name", "teamId"})
    replaces = frozenset({"teamId"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        if not all_known(inputs, "name") or re.fullmatch(
            r"[a-z0-9-]{1,52}", inputs.get("name", "")
        ):
            return []
        return [
            f"name is {inputs.get('name')!r}: 1 to 52 of a-z, 0-9 and '-' (without one Vercel adds "
            f"a random suffix)"
        ]

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return f"prj_{super().identify(context, inputs)}"


class ProjectEnvironmentVariable(Stored):
    """An environment variable for the builds of its targets."""

    sdk = vercel.ProjectEnvironmentVariable
    kind = "vercel-variables"
    supported = frozenset(
        {"projectId", "key", "value", "targets", "sensitive", "comment", "teamId"}
    )
    replaces = frozenset({"projectId", "key", "teamId"})
    secrets = frozenset({"value"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        targets = set(inputs.get("targets") or []) if all_known(inputs, "targets") else TARGETS
        if targets and targets <= TARGETS:
            return []
        return [f"targets are {sorted(targets)}: some of {', '.join(sorted(TARGETS))} are expected"]

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return f"{inputs['projectId']}/{inputs['key']}"


class ProjectDomain(Stored):
    """A domain that a project claims: locally `localhost:PORT`, the port of the stack's site."""

    sdk = vercel.ProjectDomain
    data_loss = "the domain, which another project may claim"
    kind = "vercel-domains"
    supported = frozenset({"projectId", "domain", "teamId"})
    replaces = supported

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return inputs["domain"]

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        site = f"localhost:{context.cloud.ports(context.stack).site}"
        if identity != site:
            raise UserError(
                f"the domain {identity!r} cannot be served on this machine: leave siteDomain to "
                f"`stack`, which sets {site}"
            )
        return {"verified": True, "misconfigured": False, "verifications": []}

    def applied(self, context: Context, identity: str) -> None:
        context.cloud.service(VercelProjects).configure()


class Deployment(Stored):
    """A deployment: the site, built with its project's variables, served at its domains."""

    sdk = vercel.Deployment
    kind = "vercel-deployments"
    supported = frozenset({"projectId", "files", "pathPrefix", "production", "meta", "teamId"})
    replaces = supported

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        if not all_known(inputs, "files"):
            return []
        files: Mapping[str, str] = inputs.get("files") or {}
        outside = [path for path in files if path.startswith("/") or ".." in Path(path).parts]
        if outside:
            return [
                f"files has {outside[0]!r}: paths are relative to the program, otherwise every "
                f"machine would deploy again"
            ]
        return [] if files else ["files is empty"]

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        variables = context.cloud.service(VercelProjects).variables(inputs["projectId"])
        return f"dpl_{digest(super().identify(context, inputs), repr(sorted(variables.items())))}"

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        variables = context.cloud.service(VercelProjects).variables(inputs["projectId"])
        directory = context.cloud.service(VercelProjects).build(
            context.root / inputs["pathPrefix"],
            variables,
            progress=context.progress,
            cancelled=context.cancelled,
        )
        return {
            "domains": list(
                context.cloud.store.find(ProjectDomain.kind, projectId=inputs["projectId"])
            ),
            "url": f"{identity.replace('_', '-')}.localhost",
            "directory": str(directory) if directory else "",
        }

    def read(
        self, context: Context, identity: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        record = context.cloud.store.get(self.kind, identity)
        if record is None or (
            context.cloud.service(VercelProjects).enabled
            and not Path(record["directory"] or "-").is_dir()
        ):
            return None
        return super().read(context, identity, inputs, outputs)

    def applied(self, context: Context, identity: str) -> None:
        context.cloud.service(VercelProjects).configure()


HANDLERS = (Project(), ProjectEnvironmentVariable(), ProjectDomain(), Deployment())
