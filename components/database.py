"""Database: a Neon project, or a branch of another stack's Neon project."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import pulumi
import pulumi_neon as neon

from components.database_source import BRANCH, Source, branch_source, project_source
from config.types import BranchOf, Compute

LAMBDA_ROOT_CERTIFICATES = "/etc/pki/tls/certs/ca-bundle.crt"
"""Path of the root certificates on Amazon Linux 2023; libpq contains none."""


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """Arguments of `Database`.

    name: name of the project at Neon; a change renames it.
    database: name of the database and of the role that owns it; a change replaces the project.
    organization: Neon's id of the organization that owns the project, "" for that of the API key;
        a change replaces the project.
    region: Neon's name of the region, such as aws-us-east-1; a change replaces the project.
    postgres_version: major version; a change replaces the project.
    history_seconds: restore window in seconds; the Free plan refuses more than 21,600.
    compute: size of the compute; a change updates it in place.
    ssl_mode: libpq's sslmode in both URLs.
    branch_protected: let Neon protect the project's branch (paid plans). Neon then refuses to
        delete the branch, and its child branches get passwords of their own.
    branch_of: create this branch instead of a project. Only `compute`, `ssl_mode` and `protect`
        apply to a branch.
    protect: refuse to delete or replace the project or the branch.
    """

    name: str
    database: str
    organization: str
    region: str
    postgres_version: int
    history_seconds: int
    compute: Compute
    ssl_mode: str
    branch_protected: bool = False
    branch_of: BranchOf | None = None
    protect: bool = False


class Database(pulumi.ComponentResource):
    """A Neon project with a branch, a role and a database, or a branch of another project.

    pooled_url (secret): for requests, through Neon's PgBouncer in transaction mode.
    direct_url (secret): for migrations and shells.
    identity: ids of project and branch, and the database's name; a new database changes it.
    """

    pooled_url: pulumi.Output[str]
    direct_url: pulumi.Output[str]
    project_id: pulumi.Output[str]
    database_name: pulumi.Output[str]
    identity: Mapping[str, pulumi.Output[str]]

    def __init__(
        self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ai-success-insights:index:Database", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, protect=args.protect or None)
        source = (
            branch_source(name, args.branch_of, args.compute, child)
            if args.branch_of
            else _project(name, args, child)
        )
        self.project_id = source.project_id
        self.database_name = source.database
        self.identity = {
            "project": source.project_id,
            "branch": source.branch_id,
            "database": source.database,
        }
        self.pooled_url = _url(source, source.pooled_host, args.ssl_mode)
        self.direct_url = _url(source, source.host, args.ssl_mode)
        self.register_outputs(
            {
                "pooled_url": self.pooled_url,
                "direct_url": self.direct_url,
                "project_id": self.project_id,
                "database_name": self.database_name,
                "identity": self.identity,
            }
        )


def _project(name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions) -> Source:
    # With another logical name, Pulumi would replace the project and delete its data.
    project = neon.Project(
        f"{name}-project",
        name=args.name,
        org_id=args.organization or None,
        region_id=args.region,
        pg_version=args.postgres_version,
        history_retention_seconds=args.history_seconds,
        store_password="yes",  # noqa: S106 - says whether Neon stores it
        branch={"name": BRANCH, "role_name": args.database, "database_name": args.database},
        default_endpoint_settings={
            "autoscaling_limit_min_cu": args.compute.min_cu,
            "autoscaling_limit_max_cu": args.compute.max_cu,
            "suspend_timeout_seconds": args.compute.suspend_seconds,
        },
        default_branch_protected=args.branch_protected or None,
        opts=opts,
    )
    return project_source(project)


def _url(source: Source, host: pulumi.Output[str], ssl_mode: str) -> pulumi.Output[str]:
    # Neon's own URIs are not percent-encoded, and SQLAlchemy refuses their scheme `postgres`.
    user, password, name = (
        part.apply(_percent_encoded) for part in (source.user, source.password, source.database)
    )
    tls = (
        f"{ssl_mode}&sslrootcert={LAMBDA_ROOT_CERTIFICATES}"
        if ssl_mode == "verify-full"
        else ssl_mode
    )
    return pulumi.Output.secret(
        pulumi.Output.format("postgresql://{}:{}@{}/{}?sslmode={}", user, password, host, name, tls)
    )


def _percent_encoded(part: str) -> str:
    return quote(part, safe="")
