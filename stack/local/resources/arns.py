"""Names of AWS resources as other resources refer to them. The local cloud is one account."""

ACCOUNT = "000000000000"


def arn(service: str, region: str, resource: str, *, account: str = ACCOUNT) -> str:
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def execution_arn(region: str, api_id: str) -> str:
    return arn("execute-api", region, api_id)


def function_arn(region: str, name: str, qualifier: str = "") -> str:
    return arn("lambda", region, f"function:{name}" + (f":{qualifier}" if qualifier else ""))


def invoke_arn(region: str, name: str, qualifier: str = "") -> str:
    """What an integration calls."""
    path = f"path/2015-03-31/functions/{function_arn(region, name, qualifier)}/invocations"
    return arn("apigateway", region, path, account="lambda")


def invoked(integration_uri: str) -> tuple[str, str]:
    """Function name and qualifier ("" for none) of an invoke ARN. Raises ValueError for anything else."""
    head, found, tail = integration_uri.partition(":function:")
    if not found or not head.startswith("arn:aws:apigateway:") or not tail.endswith("/invocations"):
        raise ValueError(f"{integration_uri!r} is not the invoke ARN of a function")
    name, _, qualifier = tail.removesuffix("/invocations").partition(":")
    return name, qualifier
