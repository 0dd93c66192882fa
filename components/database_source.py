"""Where a stack's database comes from at Neon: a project of its own, or a branch of another stack's protected one."""

from dataclasses import dataclass

import pulumi
import pulumi_neon as neon

from config.types import BranchOf, Compute

BRANCH = "main"


@dataclass(frozen=True, kw_only=True)
class Source:
    """The parts that connections are made of (`password` is secret), and the ids that tell one database from another."""

    project_id: pulumi.Output[str]
    branch_id: pulumi.Output[str]
    host: pulumi.Output[str]
    pooled_host: pulumi.Output[str]
    database: pulumi.Output[str]
    user: pulumi.Output[str]
    password: pulumi.Output[str]


def of_project(project: neon.Project) -> Source:
    return Source(
        project_id=project.id,
        branch_id=project.default_branch_id,
        host=project.database_host,
        pooled_host=project.database_host_pooler,
        database=project.database_name,
        user=project.database_user,
        password=project.database_password,
    )


def of_branch(name: str, args: BranchOf, compute: Compute, opts: pulumi.ResourceOptions) -> Source:
    """Make the branch with an endpoint of its own. The role is the inherited one, because another would not own the tables.

    Raises `pulumi.RunError` before anything is made of a parent that is not protected: its branches would carry the passwords of its roles.
    A preview learns of protection only where there is one, and lets the others pass.
    """
    lookup = pulumi.InvokeOutputOptions(parent=opts.parent)
    parent = neon.get_project_output(args.project, lookup)
    # The look-up is secret as a whole, for the credentials in the provider's answer; these three are none.
    parent_id = pulumi.Output.unsecret(parent.apply(lambda found: found.default_branch_id))
    database = pulumi.Output.unsecret(parent.apply(lambda found: found.database_name))
    user = pulumi.Output.unsecret(parent.apply(lambda found: found.database_user))
    original = neon.Branch.get(
        f"{name}-parent",
        pulumi.Output.concat(args.project, "/", parent_id),
        pulumi.ResourceOptions(parent=opts.parent),
    )
    branch = neon.Branch(
        f"{name}-branch",
        project_id=args.project,
        parent_id=pulumi.Output.all(args.project, parent_id, original.protected).apply(_protected),
        name=args.name,
        opts=_replaced_with(opts, "project_id", "parent_id"),
    )
    endpoint = neon.Endpoint(
        f"{name}-endpoint",
        project_id=args.project,
        branch_id=branch.id,
        type="read_write",
        autoscaling_limit_min_cu=compute.min_cu,
        autoscaling_limit_max_cu=compute.max_cu,
        suspend_timeout_seconds=compute.suspend_seconds,
        opts=_replaced_with(opts, "project_id", "branch_id"),
    )
    role = branch.name if args.one_server else user
    password = neon.get_branch_role_password_output(
        branch_id=branch.id, project_id=args.project, role_name=role, opts=lookup
    )
    return Source(
        project_id=branch.project_id,
        branch_id=branch.id,
        host=endpoint.host,
        pooled_host=pulumi.Output.all(endpoint.id, endpoint.host).apply(_pooled),
        database=branch.name if args.one_server else database,
        user=role,
        password=pulumi.Output.all(role, password.apply(lambda found: found.password)).apply(_told),
    )


def _replaced_with(opts: pulumi.ResourceOptions, *inputs: str) -> pulumi.ResourceOptions:
    """The provider would keep the id of a project or branch that is gone."""
    return pulumi.ResourceOptions(
        parent=opts.parent, protect=opts.protect, replace_on_changes=list(inputs)
    )


def _protected(parts: list[str]) -> str:
    project, branch, protected = parts
    if protected != "yes":
        raise pulumi.RunError(
            f"databaseBranchOf is {project!r}: its default branch is not protected, so a branch of it would carry the passwords of its "
            "roles along with its data. Protect it (neonBranchProtected on the stack that owns it, or at Neon; paid plans have it), "
            "or leave databaseBranchOf empty for a database of this stack's own."
        )
    return branch


def _pooled(parts: list[str]) -> str:
    """Neon's pooler answers at the endpoint's host with `-pooler` after the endpoint's id; a host without the id has none."""
    endpoint, host = parts
    return host.replace(endpoint, f"{endpoint}-pooler", 1)


def _told(parts: list[str]) -> str:
    role, password = parts
    if not password:
        raise pulumi.RunError(
            f"Neon does not tell the password of the role {role!r} on the new branch: the key in NEON_API_KEY may not read it, "
            "or the project does not store passwords"
        )
    return password
