"""neon:index/getBranchRolePassword:getBranchRolePassword."""

import pulumi
from pulumi.runtime import invoke_output

from pulumi_neon._package import package


@pulumi.output_type
class GetBranchRolePasswordResult:
    """The password of a role on a branch.

    password: empty if Neon refused to return it, because the provider ignores that error.
    """

    branch_id: str = pulumi.property("branchId")
    id: str = pulumi.property("id")
    password: str = pulumi.property("password")
    project_id: str = pulumi.property("projectId")
    role_name: str = pulumi.property("roleName")


def get_branch_role_password_output(
    branch_id: pulumi.Input[str],
    project_id: pulumi.Input[str],
    role_name: pulumi.Input[str],
    opts: pulumi.InvokeOutputOptions | None = None,
) -> pulumi.Output[GetBranchRolePasswordResult]:
    """Return the password of a role on a branch, as a secret."""
    arguments = {"branchId": branch_id, "projectId": project_id, "roleName": role_name}
    token = "neon:index/getBranchRolePassword:getBranchRolePassword"  # noqa: S105 - a function's token
    return invoke_output(
        token, arguments, opts=opts, typ=GetBranchRolePasswordResult, package_ref=package()
    )
