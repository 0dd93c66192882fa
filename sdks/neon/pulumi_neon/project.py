"""neon:index/project:Project."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi

from pulumi_neon._package import package


@pulumi.input_type
class ProjectBranchArgs:
    """The project's first branch. A change of any property replaces the project."""

    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    role_name: pulumi.Input[str] | None = pulumi.property("roleName", default=None)
    database_name: pulumi.Input[str] | None = pulumi.property("databaseName", default=None)


class ProjectBranchArgsDict(TypedDict):
    name: NotRequired[pulumi.Input[str]]
    role_name: NotRequired[pulumi.Input[str]]
    database_name: NotRequired[pulumi.Input[str]]


@pulumi.input_type
class ProjectDefaultEndpointSettingsArgs:
    """Autoscaling limits in compute units, and idle seconds until suspension (0: Neon's default).

    They are the defaults for the endpoints of the project.
    """

    autoscaling_limit_min_cu: pulumi.Input[float] | None = pulumi.property(
        "autoscalingLimitMinCu", default=None
    )
    autoscaling_limit_max_cu: pulumi.Input[float] | None = pulumi.property(
        "autoscalingLimitMaxCu", default=None
    )
    suspend_timeout_seconds: pulumi.Input[float] | None = pulumi.property(
        "suspendTimeoutSeconds", default=None
    )


class ProjectDefaultEndpointSettingsArgsDict(TypedDict):
    autoscaling_limit_min_cu: NotRequired[pulumi.Input[float]]
    autoscaling_limit_max_cu: NotRequired[pulumi.Input[float]]
    suspend_timeout_seconds: NotRequired[pulumi.Input[float]]


@pulumi.input_type
class _ProjectProperties:
    """Inputs that are sent to the engine.

    The bridge ignores unknown names silently, so a test compares these with its schema.
    """

    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    region_id: pulumi.Input[str] | None = pulumi.property("regionId", default=None)
    pg_version: pulumi.Input[float] | None = pulumi.property("pgVersion", default=None)
    history_retention_seconds: pulumi.Input[float] | None = pulumi.property(
        "historyRetentionSeconds", default=None
    )
    org_id: pulumi.Input[str] | None = pulumi.property("orgId", default=None)
    store_password: pulumi.Input[str] | None = pulumi.property("storePassword", default=None)
    branch: pulumi.Input[ProjectBranchArgs] | None = pulumi.property("branch", default=None)
    default_endpoint_settings: pulumi.Input[ProjectDefaultEndpointSettingsArgs] | None = (
        pulumi.property("defaultEndpointSettings", default=None)
    )
    default_branch_protected: pulumi.Input[bool] | None = pulumi.property(
        "defaultBranchProtected", default=None
    )


class Project(pulumi.CustomResource):
    """A Neon project with its first branch, role, database and endpoint.

    A change of `region_id`, `pg_version`, `branch` or `org_id` replaces the project, and its data
    is lost. The URIs are not percent-encoded: build URLs from host, user, password and name.
    """

    pulumi_type = "neon:index/project:Project"

    connection_uri: pulumi.Output[str] = pulumi.property("connectionUri")
    connection_uri_pooler: pulumi.Output[str] = pulumi.property("connectionUriPooler")
    database_host: pulumi.Output[str] = pulumi.property("databaseHost")
    database_host_pooler: pulumi.Output[str] = pulumi.property("databaseHostPooler")
    database_name: pulumi.Output[str] = pulumi.property("databaseName")
    database_password: pulumi.Output[str] = pulumi.property("databasePassword")
    database_user: pulumi.Output[str] = pulumi.property("databaseUser")
    default_branch_id: pulumi.Output[str] = pulumi.property("defaultBranchId")
    default_endpoint_id: pulumi.Output[str] = pulumi.property("defaultEndpointId")
    name: pulumi.Output[str] = pulumi.property("name")
    region_id: pulumi.Output[str] = pulumi.property("regionId")
    pg_version: pulumi.Output[float] = pulumi.property("pgVersion")
    history_retention_seconds: pulumi.Output[float] = pulumi.property("historyRetentionSeconds")
    org_id: pulumi.Output[str] = pulumi.property("orgId")
    store_password: pulumi.Output[str] = pulumi.property("storePassword")
    branch: pulumi.Output[Mapping[str, str]] = pulumi.property("branch")
    default_endpoint_settings: pulumi.Output[Mapping[str, float]] = pulumi.property(
        "defaultEndpointSettings"
    )
    default_branch_protected: pulumi.Output[bool] = pulumi.property("defaultBranchProtected")

    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        name: pulumi.Input[str] | None = None,
        region_id: pulumi.Input[str] | None = None,
        pg_version: pulumi.Input[float] | None = None,
        history_retention_seconds: pulumi.Input[float] | None = None,
        org_id: pulumi.Input[str] | None = None,
        store_password: pulumi.Input[str] | None = None,
        branch: pulumi.Input[ProjectBranchArgs | ProjectBranchArgsDict] | None = None,
        default_endpoint_settings: pulumi.Input[
            ProjectDefaultEndpointSettingsArgs | ProjectDefaultEndpointSettingsArgsDict
        ]
        | None = None,
        default_branch_protected: pulumi.Input[bool] | None = None,
    ) -> None:
        secrets = pulumi.ResourceOptions(
            additional_secret_outputs=[
                "connection_uri",
                "connection_uri_pooler",
                "database_password",
            ],
        )
        properties = _ProjectProperties.__new__(_ProjectProperties)
        properties.__dict__.update(
            name=name,
            region_id=region_id,
            pg_version=pg_version,
            history_retention_seconds=history_retention_seconds,
            org_id=org_id,
            store_password=store_password,
            branch=branch,
            default_endpoint_settings=default_endpoint_settings,
            default_branch_protected=default_branch_protected,
            **dict.fromkeys(_COMPUTED),
        )
        super().__init__(
            self.pulumi_type,
            resource_name,
            properties,  # pyright: ignore[reportArgumentType] - an input type, as the generated SDKs pass it
            pulumi.ResourceOptions.merge(opts, secrets),
            package_ref=package(),
        )


_COMPUTED = (
    "connection_uri",
    "connection_uri_pooler",
    "database_host",
    "database_host_pooler",
    "database_name",
    "database_password",
    "database_user",
    "default_branch_id",
    "default_endpoint_id",
)
