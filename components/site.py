"""Site: the Vercel project, its domain, and the URL of the API that its pages call."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumiverse_vercel as vercel


@dataclass(frozen=True, kw_only=True)
class SiteArgs:
    """Arguments of `Site`.

    name: name of the project at Vercel, 1 to 52 of [a-z0-9-].
    domain: host that the project claims. Vercel returns 409 if another project has it; then choose
        another `siteDomain`.
    scheme: scheme of the origin, https in the cloud.
    api_url: value of NEXT_PUBLIC_API_URL, which the build inlines into the pages.
    protect: refuse to delete or replace project and domain, because others use the address.
    """

    name: str
    domain: str
    scheme: str
    api_url: pulumi.Input[str]
    protect: bool = False


class Site(pulumi.ComponentResource):
    """A Vercel project with its variables and its domain.

    Vercel returns 404 there until `Release` has deployed the pages.

    origin: value of the browsers' `Origin` header. It follows from the claimed domain, so a preview
        knows it.
    variables: environment variables of the build; `Release` deploys again when they change.
    """

    origin: pulumi.Output[str]
    project_id: pulumi.Output[str]
    variables: Mapping[str, pulumi.Output[str]]

    def __init__(
        self, name: str, args: SiteArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ai-success-insights:index:Site", name, None, opts)
        protected = pulumi.ResourceOptions(parent=self, protect=args.protect or None)
        project = vercel.Project(f"{name}-project", name=args.name, opts=protected)
        api_url = vercel.ProjectEnvironmentVariable(
            f"{name}-api-url",
            project_id=project.id,
            key="NEXT_PUBLIC_API_URL",
            value=args.api_url,
            targets=["production", "preview"],
            sensitive=False,  # public: the pages contain it
            # Vercel refuses a second variable with the same key.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        domain = vercel.ProjectDomain(
            f"{name}-domain", project_id=project.id, domain=args.domain, opts=protected
        )
        self.origin = pulumi.Output.concat(args.scheme, "://", domain.domain)
        self.project_id = project.id
        # The provider marks its output `value` as secret, so the public input is used instead.
        self.variables = {
            "NEXT_PUBLIC_API_URL": pulumi.Output.all(args.api_url, api_url.id).apply(_first)
        }
        self.register_outputs(
            {"origin": self.origin, "project_id": self.project_id, "variables": self.variables}
        )


def _first(values: list[str]) -> str:
    return values[0]
