"""Builds and parses the ARNs of local AWS resources. The local cloud is one account."""

ACCOUNT = "000000000000"


def arn(service: str, region: str, resource: str, *, account: str = ACCOUNT) -> str:
    """Return `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`."""
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def execution_arn(region: str, api_id: str) -> str:
    """Return the ARN that a permission's `sourceArn` starts with."""
    return arn("execute-api", region, api_id)


def function_arn(region: str, name: str, qualifier: str = "") -> str:
    """Return a function's ARN; `qualifier` is a version or an alias."""
    return arn("lambda", region, f"function:{name}" + (f":{qualifier}" if qualifier else ""))


def parse_function_arn(text: str) -> tuple[str, str]:
    """Return function name and qualifier ("" for none) of a function's ARN.

    Raises `ValueError` for any other text.
    """
    parts = text.split(":")
    if parts[:3] != ["arn", "aws", "lambda"] or parts[5:6] != ["function"] or len(parts) > 8:
        raise ValueError(f"{text!r} is not the ARN of a function")
    return parts[6], parts[7] if len(parts) == 8 else ""


def invoke_arn(region: str, name: str, qualifier: str = "") -> str:
    """Return the ARN that an API Gateway integration invokes a function by."""
    path = f"path/2015-03-31/functions/{function_arn(region, name, qualifier)}/invocations"
    return arn("apigateway", region, path, account="lambda")


def parse_invoke_arn(integration_uri: str) -> tuple[str, str]:
    """Return function name and qualifier ("" for none) of an invoke ARN.

    Raises `ValueError` for any other text.
    """
    head, found, tail = integration_uri.partition(":function:")
    if not found or not head.startswith("arn:aws:apigateway:") or not tail.endswith("/invocations"):
        raise ValueError(f"{integration_uri!r} is not the invoke ARN of a function")
    name, _, qualifier = tail.removesuffix("/invocations").partition(":")
    return name, qualifier
