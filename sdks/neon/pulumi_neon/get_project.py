"""neon:index/getProject:getProject."""

import pulumi
from pulumi.runtime import invoke_output

from pulumi_neon._package import package


@pulumi.output_type
class GetProjectResult:
    """What is read of a project and of its default branch; the provider answers its credentials too, which are left where they are."""

    database_name: str = pulumi.property("databaseName")
    database_user: str = pulumi.property("databaseUser")
    default_branch_id: str = pulumi.property("defaultBranchId")
    id: str = pulumi.property("id")
    name: str = pulumi.property("name")


def get_project_output(
    id: pulumi.Input[str], opts: pulumi.InvokeOutputOptions | None = None
) -> pulumi.Output[GetProjectResult]:
    """Look a project up. The result is secret as a whole, because the provider's answer holds the connection URIs."""
    return invoke_output(
        "neon:index/getProject:getProject",
        {"id": id},
        opts=opts,
        typ=GetProjectResult,
        package_ref=package(),
    )
