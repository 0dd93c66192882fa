"""Database: a Neon project with its branch, role and database, or a branch of another stack's project."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import pulumi
import pulumi_neon as neon

from components.database_source import BRANCH, Source, of_branch, of_project
from config.types import BranchOf, Compute

LAMBDA_ROOT_CERTIFICATES = (
    "/etc/pki/tls/certs/ca-bundle.crt"  # Amazon Linux 2023; libpq has no bundle of its own
)


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """Arguments of `Database`.

    name: the project's name at Neon; a change renames it.
    database: name of the database and of the role that owns it; a change replaces the project.
    organization: Neon's id of the organization that owns the project, "" for the one of the API key; a change replaces the project.
    region: Neon's name of the region, such as aws-us-east-1; a change replaces the project.
    postgres_version: major version; a change replaces the project.
    history_seconds: restore window; the Free plan refuses more than 21,600.
    compute: its size; a change is made in place.
    ssl_mode: libpq's sslmode in both URLs.
    branch_protected: let Neon protect the project's branch (paid plans): nobody deletes it, and branches of it get passwords of their own.
    branch_of: make a branch instead of a project; of the above, `compute`, `ssl_mode` and `protect` then count.
    protect: refuse to delete or replace the project.
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
    """A Neon project with one branch, one role and the database that the role owns; or a branch with an endpoint of its own.

    pooled_url (secret): for requests, through Neon's PgBouncer in transaction mode.
    direct_url (secret): for migrations and shells.
    identity: project, branch and database; it changes when the database is another one.
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
            of_branch(name, args.branch_of, args.compute, child)
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
    # Holds the data: another logical name would be another, empty database.
    project = neon.Project(
        f"{name}-project",
        name=args.name,
        org_id=args.organization or None,
        region_id=args.region,
        pg_version=args.postgres_version,
        history_retention_seconds=args.history_seconds,
        store_password="yes",  # noqa: S106 - not a password: whether Neon keeps it
        branch={"name": BRANCH, "role_name": args.database, "database_name": args.database},
        default_endpoint_settings={
            "autoscaling_limit_min_cu": args.compute.min_cu,
            "autoscaling_limit_max_cu": args.compute.max_cu,
            "suspend_timeout_seconds": args.compute.suspend_seconds,
        },
        default_branch_protected=args.branch_protected or None,
        opts=opts,
    )
    return of_project(project)


def _url(source: Source, host: pulumi.Output[str], ssl_mode: str) -> pulumi.Output[str]:
    # Neon's own URIs are not escaped, and start with a scheme that SQLAlchemy refuses.
    user, password, name = (
        part.apply(_escaped) for part in (source.user, source.password, source.database)
    )
    tls = (
        f"{ssl_mode}&sslrootcert={LAMBDA_ROOT_CERTIFICATES}"
        if ssl_mode == "verify-full"
        else ssl_mode
    )
    return pulumi.Output.secret(
        pulumi.Output.format("postgresql://{}:{}@{}/{}?sslmode={}", user, password, host, name, tls)
    )


def _escaped(part: str) -> str:
    return quote(part, safe="")
