"""Deploys AI Success Insights. Data flows from top to bottom: each component uses earlier ones."""

import pulumi

from components.aws_provider import aws_provider
from components.database import Database, DatabaseArgs
from components.gateway import Gateway, GatewayArgs
from components.release import Release, ReleaseArgs
from components.service import Service, ServiceArgs
from components.site import Site, SiteArgs
from config.stack_config import StackConfig, function_environment

config = StackConfig.load()
names = config.names
on_aws = pulumi.ResourceOptions(providers=[aws_provider(config)])

database = Database(
    "database",
    DatabaseArgs(
        name=names.neon_project,
        database=names.database,
        organization=config.neon_org_id,
        region=config.neon_region,
        postgres_version=config.postgres_version,
        history_seconds=config.neon_history_seconds,
        compute=config.compute,
        branch_protected=config.neon_branch_protected,
        branch_of=config.branch_of,
        ssl_mode=config.ssl_mode,
        protect=config.protect,
    ),
)
gateway = Gateway(
    "gateway",
    GatewayArgs(
        name=names.api,
        access_log_group=names.access_log_group,
        log_retention_days=config.log_retention_days,
        protect=config.protect,
    ),
    on_aws,
)
site = Site(
    "site",
    SiteArgs(
        name=names.vercel_project,
        domain=config.site_domain,
        scheme=config.site_scheme,
        api_url=gateway.url,
        protect=config.protect,
    ),
)
cors_origins = pulumi.Output.all(site.origin, *config.extra_origins)
service = Service(
    "service",
    ServiceArgs(
        names=names,
        target=config.target,
        bytecode=config.bytecode,
        environment=function_environment(config),
        database=database,
        gateway=gateway,
        cors_origins=cors_origins,
        sizing=config.sizing,
        throttle=config.throttle,
        log_retention_days=config.log_retention_days,
        upkeep=config.upkeep,
        time_zone=config.time_zone,
    ),
    on_aws,
)
release = Release(
    "release",
    ReleaseArgs(project_id=site.project_id, directory="frontend", variables=site.variables),
    pulumi.ResourceOptions(depends_on=[service]),
)

pulumi.export("api_url", gateway.url)
pulumi.export("frontend_url", site.origin)
pulumi.export("cors_origins", cors_origins)
pulumi.export("function_name", service.function_name)
pulumi.export("database_name", database.database_name)
pulumi.export("neon_project_id", database.project_id)
pulumi.export("database_url", database.pooled_url)
pulumi.export("direct_database_url", database.direct_url)
