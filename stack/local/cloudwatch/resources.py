"""Handler of log groups."""

from collections.abc import Mapping
from typing import Any

import pulumi_aws as aws

from stack.local.cloudwatch.logs import LogStore
from stack.local.resources.arns import arn
from stack.local.resources.base import Context
from stack.local.resources.stored import Stored


class LogGroup(Stored):
    """A log group, whose retention acts while the local cloud runs."""

    sdk = aws.cloudwatch.LogGroup
    data_loss = "its logs"
    kind = "log-groups"
    supported = frozenset({"name", "retentionInDays", "tags"})
    replaces = frozenset({"name"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        if inputs.get("retentionInDays"):
            return []
        return ["retentionInDays is missing: logs would be stored, and paid for, for ever"]

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return inputs["name"]

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return {
            "arn": arn("logs", context.region, f"log-group:{identity}"),
            "tagsAll": inputs.get("tags", {}),
        }

    def lost_data(self, context: Context, identity: str) -> str:
        count = context.cloud.service(LogStore).count(identity)
        return f"{count:,} log records" if count else ""

    def applied(self, context: Context, identity: str) -> None:
        record = context.cloud.store.get(self.kind, identity)
        if record is None:
            context.cloud.service(LogStore).group(identity).remove()
        else:
            context.cloud.service(LogStore).group(identity, record["retentionInDays"])


HANDLERS = (LogGroup(),)
