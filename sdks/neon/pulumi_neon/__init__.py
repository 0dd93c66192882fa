"""Resources and functions of Neon, bridged from the Terraform provider kislerdm/neon 0.15.0.

The names of classes and arguments are those of the SDK that `pulumi package add terraform-provider
kislerdm/neon 0.15.0` generates, so the generated SDK can replace this one.
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
