"""neon:index/branch:Branch."""

import pulumi

from pulumi_neon._package import package


@pulumi.input_type
class _BranchProperties:
    """Inputs sent to the engine; a test compares their names with the provider's schema."""

    project_id: pulumi.Input[str] | None = pulumi.property("projectId", default=None)
    parent_id: pulumi.Input[str] | None = pulumi.property("parentId", default=None)
    name: pulumi.Input[str] | None = pulumi.property("name", default=None)
    protected: pulumi.Input[str] | None = pulumi.property("protected", default=None)


class Branch(pulumi.CustomResource):
    """A branch: a copy-on-write clone of its parent's data. An `Endpoint` gives it a host.

    protected: "yes", "no", or None if it was never set.

    The provider does not replace the branch when `project_id` or `parent_id` changes. Use the
    option `replace_on_changes`.
    """

    pulumi_type = "neon:index/branch:Branch"

    logical_size: pulumi.Output[float] = pulumi.property("logicalSize")
    name: pulumi.Output[str] = pulumi.property("name")
    parent_id: pulumi.Output[str] = pulumi.property("parentId")
    project_id: pulumi.Output[str] = pulumi.property("projectId")
    protected: pulumi.Output[str | None] = pulumi.property("protected")

    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        project_id: pulumi.Input[str] | None = None,
        parent_id: pulumi.Input[str] | None = None,
        name: pulumi.Input[str] | None = None,
        protected: pulumi.Input[str] | None = None,
    ) -> None:
        if project_id is None and not (opts and opts.id):
            raise TypeError("Missing required property 'project_id'")
        properties = _BranchProperties.__new__(_BranchProperties)
        properties.__dict__.update(
            project_id=project_id,
            parent_id=parent_id,
            name=name,
            protected=protected,
            logical_size=None,
        )
        super().__init__(
            self.pulumi_type,
            resource_name,
            properties,  # pyright: ignore[reportArgumentType] - an input type, as the generated SDKs pass it
            opts,
            package_ref=package(),
        )

    @staticmethod
    def get(
        resource_name: str, id: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> "Branch":
        """Read a branch that exists. id: `PROJECT_ID/BRANCH_ID`, as for an import."""
        return Branch(
            resource_name, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=id))
        )
