"""The Neon resources and functions in use, bridged from the Terraform provider kislerdm/neon 0.15.0.

Class and argument names are those of the SDK that `pulumi package add terraform-provider kislerdm/neon 0.15.0`
generates, so that the generated one can take this one's place.
"""

from pulumi_neon.branch import Branch
from pulumi_neon.endpoint import Endpoint
from pulumi_neon.get_branch_role_password import (
    GetBranchRolePasswordResult,
    get_branch_role_password_output,
)
from pulumi_neon.get_project import GetProjectResult, get_project_output
from pulumi_neon.project import (
    Project,
    ProjectBranchArgs,
    ProjectBranchArgsDict,
    ProjectDefaultEndpointSettingsArgs,
    ProjectDefaultEndpointSettingsArgsDict,
)

__all__ = [
    "Branch",
    "Endpoint",
    "GetBranchRolePasswordResult",
    "GetProjectResult",
    "Project",
    "ProjectBranchArgs",
    "ProjectBranchArgsDict",
    "ProjectDefaultEndpointSettingsArgs",
    "ProjectDefaultEndpointSettingsArgsDict",
    "get_branch_role_password_output",
    "get_project_output",
]
