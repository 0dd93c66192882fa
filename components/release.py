"""Release: the Vercel deployment of the dashboard, created after the API that it calls."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumiverse_vercel as vercel

from components.site_files import site_files


@dataclass(frozen=True, kw_only=True)
class ReleaseArgs:
    """Arguments of `Release`.

    project_id: id of the Vercel project.
    directory: the dashboard's directory, relative to the program; a change of its files creates a
        new deployment.
    variables: environment variables of the build; a change creates a new deployment, because Vercel
        does not build again on its own.
    """

    project_id: pulumi.Input[str]
    directory: str
    variables: Mapping[str, pulumi.Input[str]]


class Release(pulumi.ComponentResource):
    """A production deployment of the dashboard's files.

    Create it with `depends_on` the service, so that no page is newer than the API that it calls.

    url: URL of this deployment alone. By default Vercel asks for a login there; the claimed domain
        is public.
    """

    url: pulumi.Output[str]

    def __init__(
        self, name: str, args: ReleaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ai-success-insights:index:Release", name, None, opts)
        deployment = vercel.Deployment(
            f"{name}-deployment",
            project_id=args.project_id,
            # Paths are relative, so that another machine does not replace the deployment.
            files=site_files(Path(args.directory), Path()),
            path_prefix=args.directory,
            production=True,
            meta={"config": pulumi.Output.all(**args.variables).apply(_digest)},
            opts=pulumi.ResourceOptions(
                parent=self, custom_timeouts=pulumi.CustomTimeouts(create="15m")
            ),
        )
        self.url = pulumi.Output.concat("https://", deployment.url)
        self.register_outputs({"url": self.url})


def _digest(variables: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(variables, sort_keys=True).encode()).hexdigest()[:12]
