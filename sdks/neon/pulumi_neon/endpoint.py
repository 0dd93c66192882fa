"""neon:index/endpoint:Endpoint."""

import pulumi

from pulumi_neon._package import package


@pulumi.input_type
class _EndpointProperties:
    """Inputs sent to the engine; a test compares their names with the provider's schema."""

    project_id: pulumi.Input[str] | None = pulumi.property("projectId", default=None)
    branch_id: pulumi.Input[str] | None = pulumi.property("branchId", default=None)
    type: pulumi.Input[str] | None = pulumi.property("type", default=None)
    autoscaling_limit_min_cu: pulumi.Input[float] | None = pulumi.property(
        "autoscalingLimitMinCu", default=None
    )
    autoscaling_limit_max_cu: pulumi.Input[float] | None = pulumi.property(
        "autoscalingLimitMaxCu", default=None
    )
    suspend_timeout_seconds: pulumi.Input[float] | None = pulumi.property(
        "suspendTimeoutSeconds", default=None
    )


class Endpoint(pulumi.CustomResource):
    """The compute of a branch, with its host. A branch has at most one of the type `read_write`.

    The provider does not replace the endpoint when `project_id` or `branch_id` changes. Use the
    option `replace_on_changes`.
    """

    pulumi_type = "neon:index/endpoint:Endpoint"

    autoscaling_limit_max_cu: pulumi.Output[float] = pulumi.property("autoscalingLimitMaxCu")
    autoscaling_limit_min_cu: pulumi.Output[float] = pulumi.property("autoscalingLimitMinCu")
    branch_id: pulumi.Output[str] = pulumi.property("branchId")
    host: pulumi.Output[str] = pulumi.property("host")
    project_id: pulumi.Output[str] = pulumi.property("projectId")
    proxy_host: pulumi.Output[str] = pulumi.property("proxyHost")
    suspend_timeout_seconds: pulumi.Output[float] = pulumi.property("suspendTimeoutSeconds")
    type: pulumi.Output[str] = pulumi.property("type")

    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        project_id: pulumi.Input[str] | None = None,
        branch_id: pulumi.Input[str] | None = None,
        type: pulumi.Input[str] | None = None,
        autoscaling_limit_min_cu: pulumi.Input[float] | None = None,
        autoscaling_limit_max_cu: pulumi.Input[float] | None = None,
        suspend_timeout_seconds: pulumi.Input[float] | None = None,
    ) -> None:
        for name, value in (("project_id", project_id), ("branch_id", branch_id)):
            if value is None:
                raise TypeError(f"Missing required property '{name}'")
        properties = _EndpointProperties.__new__(_EndpointProperties)
        properties.__dict__.update(
            project_id=project_id,
            branch_id=branch_id,
            type=type,
            autoscaling_limit_min_cu=autoscaling_limit_min_cu,
            autoscaling_limit_max_cu=autoscaling_limit_max_cu,
            suspend_timeout_seconds=suspend_timeout_seconds,
            host=None,
            proxy_host=None,
        )
        super().__init__(
            self.pulumi_type,
            resource_name,
            properties,  # pyright: ignore[reportArgumentType] - an input type, as the generated SDKs pass it
            opts,
            package_ref=package(),
        )
