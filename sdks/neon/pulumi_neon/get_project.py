"""neon:index/getProject:getProject."""

import pulumi
from pulumi.runtime import invoke_output

from pulumi_neon._package import package


@pulumi.output_type
class GetProjectResult:
    """Properties of a project and of its default branch, without the credentials."""

    database_name: str = pulumi.property("databaseName")
    database_user: str = pulumi.property("databaseUser")
    default_branch_id: str = pulumi.property("defaultBranchId")
    id: str = pulumi.property("id")
    name: str = pulumi.property("name")


def get_project_output(
    id: pulumi.Input[str], opts: pulumi.InvokeOutputOptions | None = None
) -> pulumi.Output[GetProjectResult]:
    """Return a project.

    The result is secret as a whole, because the provider also returns the connection URIs.
    """
    return invoke_output(
        "neon:index/getProject:getProject",
        {"id": id},
        opts=opts,
        typ=GetProjectResult,
        package_ref=package(),
    )
