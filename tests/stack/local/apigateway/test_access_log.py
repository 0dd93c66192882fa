"""The lines of the access log."""

import json

from stack.local.apigateway.access_log import AccessLogFormat


def test_a_line_has_the_values_of_variables_and_dashes_for_missing_ones() -> None:
    line = AccessLogFormat(
        "$context.identity.sourceIp - $context.status. $context.unknown [$context.empty]"
    ).line({"identity.sourceIp": "::1", "status": 200, "empty": ""})
    assert line == "::1 - 200. - [-]"


def test_values_are_escaped_in_a_json_format() -> None:
    line = AccessLogFormat('{"agent":"$context.identity.userAgent","status":$context.status}').line(
        {"identity.userAgent": 'a"\n\\', "status": 200}
    )
    assert json.loads(line) == {"agent": 'a"\n\\', "status": 200}
