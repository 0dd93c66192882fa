"""The two sources of a stack's database: a Neon project, or a branch of another stack's project."""

from dataclasses import dataclass

import pulumi
import pulumi_neon as neon

from config.types import BranchOf, Compute

BRANCH = "main"
"""Name of the branch that a new project has."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What connection URLs contain (`password` is secret), and the ids of project and branch."""

    project_id: pulumi.Output[str]
    branch_id: pulumi.Output[str]
    host: pulumi.Output[str]
    pooled_host: pulumi.Output[str]
    database: pulumi.Output[str]
    user: pulumi.Output[str]
    password: pulumi.Output[str]


def project_source(project: neon.Project) -> Source:
    """Return the source of a database in the project's first branch."""
    return Source(
        project_id=project.id,
        branch_id=project.default_branch_id,
        host=project.database_host,
        pooled_host=project.database_host_pooler,
        database=project.database_name,
        user=project.database_user,
        password=project.database_password,
    )


def branch_source(
    name: str, args: BranchOf, compute: Compute, opts: pulumi.ResourceOptions
) -> Source:
    """Create a branch with an endpoint of its own, and return its source.

    The role is the inherited one, because a new role would not own the tables.

    Raises `pulumi.RunError`, before the branch is created, if the parent branch is not protected:
    its child branches would have the same passwords for the same roles. A preview that does not
    know yet whether the parent is protected raises nothing.
    """
    lookup = pulumi.InvokeOutputOptions(parent=opts.parent)
    parent = neon.get_project_output(args.project, lookup)
    # The result is secret as a whole, because it contains credentials; these three values are not.
    parent_id = pulumi.Output.unsecret(parent.apply(lambda found: found.default_branch_id))
    database = pulumi.Output.unsecret(parent.apply(lambda found: found.database_name))
    user = pulumi.Output.unsecret(parent.apply(lambda found: found.database_user))
    parent_branch = neon.Branch.get(
        f"{name}-parent",
        pulumi.Output.concat(args.project, "/", parent_id),
        pulumi.ResourceOptions(parent=opts.parent),
    )
    branch = neon.Branch(
        f"{name}-branch",
        project_id=args.project,
        parent_id=pulumi.Output.all(args.project, parent_id, parent_branch.protected).apply(
            _checked_parent
        ),
        name=args.name,
        opts=_replaced_on_changes(opts, "project_id", "parent_id"),
    )
    endpoint = neon.Endpoint(
        f"{name}-endpoint",
        project_id=args.project,
        branch_id=branch.id,
        type="read_write",
        autoscaling_limit_min_cu=compute.min_cu,
        autoscaling_limit_max_cu=compute.max_cu,
        suspend_timeout_seconds=compute.suspend_seconds,
        opts=_replaced_on_changes(opts, "project_id", "branch_id"),
    )
    role = branch.name if args.one_server else user
    password = neon.get_branch_role_password_output(
        branch_id=branch.id, project_id=args.project, role_name=role, opts=lookup
    )
    return Source(
        project_id=branch.project_id,
        branch_id=branch.id,
        host=endpoint.host,
        pooled_host=pulumi.Output.all(endpoint.id, endpoint.host).apply(_pooled_host),
        database=branch.name if args.one_server else database,
        user=role,
        password=pulumi.Output.all(role, password.apply(lambda found: found.password)).apply(
            _checked_password
        ),
    )


def _replaced_on_changes(opts: pulumi.ResourceOptions, *inputs: str) -> pulumi.ResourceOptions:
    """Return options that replace a resource when one of these inputs changes.

    The provider would update it in place, and it would keep the id of a deleted parent.
    """
    return pulumi.ResourceOptions(
        parent=opts.parent, protect=opts.protect, replace_on_changes=list(inputs)
    )


def _checked_parent(parts: list[str]) -> str:
    project, branch, protected = parts
    if protected != "yes":
        raise pulumi.RunError(
            f"databaseBranchOf is {project!r}: its default branch is not protected, so a branch of "
            "it would have the passwords of its roles along with its data. Protect it "
            "(neonBranchProtected on the stack that owns it, or at Neon; paid plans only), "
            "or leave databaseBranchOf empty for a database of this stack's own."
        )
    return branch


def _pooled_host(parts: list[str]) -> str:
    """Return the host of Neon's pooler: `-pooler` follows the endpoint's id (Neon documentation).

    The host of a local branch does not contain the id, and has no pooler.
    """
    endpoint, host = parts
    return host.replace(endpoint, f"{endpoint}-pooler", 1)


def _checked_password(parts: list[str]) -> str:
    role, password = parts
    if not password:
        raise pulumi.RunError(
            f"Neon returned no password of the role {role!r} on the new branch: the key in "
            "NEON_API_KEY may not read it, or the project does not store passwords"
        )
    return password
