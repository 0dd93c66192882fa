"""Site: the Vercel project, the address of the API that its pages call, and the host that it claims."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumiverse_vercel as vercel


@dataclass(frozen=True, kw_only=True)
class SiteArgs:
    """Arguments of `Site`.

    name: the project's name at Vercel, 1 to 52 of [a-z0-9-].
    domain: the host that the project claims; one that is taken fails with 409, choose another `siteDomain`.
    scheme: of the origin, https in the cloud.
    api_url: becomes NEXT_PUBLIC_API_URL, which is inlined when the pages are built.
    protect: refuse to delete or replace project and domain, which others know.
    """

    name: str
    domain: str
    scheme: str
    api_url: pulumi.Input[str]
    protect: bool = False


class Site(pulumi.ComponentResource):
    """A Vercel project with its variables and its domain. It answers 404 until `Release` has deployed to it.

    origin: what browsers send as `Origin`; from the claimed domain, so it is settled at preview.
    variables: what the pages are built with; `Release` deploys anew when they change.
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
            sensitive=False,  # public anyway: it stands in the pages
            # Vercel refuses a second variable of one key, so a replacement cannot be created first.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        domain = vercel.ProjectDomain(
            f"{name}-domain", project_id=project.id, domain=args.domain, opts=protected
        )
        self.origin = pulumi.Output.concat(args.scheme, "://", domain.domain)
        self.project_id = project.id
        # From the input: the provider marks the value that it returns as secret, and this one is public.
        self.variables = {
            "NEXT_PUBLIC_API_URL": pulumi.Output.all(args.api_url, api_url.id).apply(_first)
        }
        self.register_outputs(
            {"origin": self.origin, "project_id": self.project_id, "variables": self.variables}
        )


def _first(values: list[str]) -> str:
    return values[0]
