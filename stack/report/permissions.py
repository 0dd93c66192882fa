"""Reads the permissions of a snapshot: one for each action on each resource in every policy."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from stack.report.compare import Snapshot


@dataclass(frozen=True, order=True)
class Permission:
    """holder: the resource that declares it. condition: JSON, "" for none."""

    holder: str
    effect: str
    action: str
    resource: str
    principal: str
    condition: str


def permissions(snapshot: Snapshot) -> frozenset[Permission]:
    """Return the permissions of policy documents, and those of `aws:lambda/permission`.

    A policy document is any input that is JSON with a `Statement`; a Lambda permission has its
    fields as inputs.
    """
    return frozenset(
        found
        for resource in snapshot["resources"]
        for found in _resource_permissions(resource["name"], resource["inputs"])
    )


def _resource_permissions(holder: str, inputs: Mapping[str, Any]) -> Iterator[Permission]:
    for text in inputs.values():
        for statement in _statements(text):
            yield from _permissions(holder, statement)
    if {"action", "principal"} <= inputs.keys():
        condition = {
            key: inputs[key]
            for key in ("sourceArn", "sourceAccount", "principalOrgId")
            if key in inputs
        }
        yield Permission(
            holder=holder,
            effect="Allow",
            action=str(inputs["action"]),
            resource=":".join(
                str(inputs[key]) for key in ("function", "qualifier") if key in inputs
            ),
            principal=str(inputs["principal"]),
            condition=json.dumps(condition, sort_keys=True) if condition else "",
        )


def _statements(text: Any) -> list[Mapping[str, Any]]:
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return []
    try:
        found = json.loads(text).get("Statement", [])
    except ValueError:
        return []
    return [
        statement
        for statement in (found if isinstance(found, list) else [found])
        if isinstance(statement, dict)
    ]


def _permissions(holder: str, statement: Mapping[str, Any]) -> Iterator[Permission]:
    actions = _texts(statement, "Action") or [
        f"not {action}" for action in _texts(statement, "NotAction")
    ]
    resources = (
        _texts(statement, "Resource")
        or [f"not {resource}" for resource in _texts(statement, "NotResource")]
        or [""]
    )
    principals = _principals(statement)
    condition = (
        json.dumps(statement["Condition"], sort_keys=True) if statement.get("Condition") else ""
    )
    for action, resource, principal in product(actions, resources, principals):
        yield Permission(
            holder, str(statement.get("Effect")), action, resource, principal, condition
        )


def _texts(statement: Mapping[str, Any], key: str) -> list[str]:
    value = statement.get(key, [])
    return [str(item) for item in (value if isinstance(value, list) else [value])]


def _principals(statement: Mapping[str, Any]) -> list[str]:
    principal = statement.get("Principal", statement.get("NotPrincipal"))
    if principal is None:
        return [""]
    named = principal if isinstance(principal, dict) else {"": principal}
    found = [
        f"{kind} {item}".strip()
        for kind, items in named.items()
        for item in (items if isinstance(items, list) else [items])
    ]
    return [f"not {item}" for item in found] if "NotPrincipal" in statement else found
