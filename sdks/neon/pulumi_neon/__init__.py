"""The Neon resources in use, bridged from the Terraform provider kislerdm/neon 0.15.0.

Class and argument names are those of the SDK that `pulumi package add terraform-provider kislerdm/neon 0.15.0`
generates, so that the generated one can take this one's place.
"""

from pulumi_neon.project import (
    Project,
    ProjectBranchArgs,
    ProjectBranchArgsDict,
    ProjectDefaultEndpointSettingsArgs,
    ProjectDefaultEndpointSettingsArgsDict,
)

__all__ = [
    "Project",
    "ProjectBranchArgs",
    "ProjectBranchArgsDict",
    "ProjectDefaultEndpointSettingsArgs",
    "ProjectDefaultEndpointSettingsArgsDict",
]
