"""Checks policy documents: they must parse, and grant the least privilege only."""

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, cast


def policy_failures(document: str) -> list[str]:
    """Return sentences on what is wrong with a permission policy.

    Wrong are its form, an action with `*`, and a resource `*`.
    """
    statements, failures = _statements(document)
    for index, statement in enumerate(statements):
        where = f"statement {index + 1}"
        actions, resources = _strings(statement.get("Action")), _strings(statement.get("Resource"))
        if not actions or not resources:
            failures.append(f"{where} needs Action and Resource")
        if statement.get("Effect") == "Allow":
            failures += [
                f"{where} allows the action {action!r}: name the actions"
                for action in actions
                if "*" in action
            ]
            failures += [
                f"{where} allows it on every resource: name the resources"
                for resource in resources
                if not resource.strip("*:")
            ]
    return failures


def trust_failures(document: str) -> list[str]:
    """Return sentences on what is wrong with a trust policy.

    Wrong are its form, an action other than `sts:AssumeRole`, and a principal other than Lambda or
    EventBridge Scheduler. The latter acts for schedules of every account, so it needs conditions.
    """
    statements, failures = _statements(document)
    for index, statement in enumerate(statements):
        where = f"statement {index + 1}"
        if _strings(statement.get("Action")) != ["sts:AssumeRole"]:
            failures.append(f"{where} needs the action sts:AssumeRole")
        services = _services(statement)
        if services not in (["lambda.amazonaws.com"], ["scheduler.amazonaws.com"]):
            failures.append(
                f"{where} lets {json.dumps(statement.get('Principal'))} assume the role: "
                "only lambda.amazonaws.com or scheduler.amazonaws.com may"
            )
        if services == ["scheduler.amazonaws.com"]:
            condition = json.dumps(statement.get("Condition"))
            failures += [
                f"{where} needs a condition on {key}: schedules of any account could use the role"
                for key in ("aws:SourceAccount", "aws:SourceArn")
                if key not in condition
            ]
    return failures


def trusts(document: str, service: str) -> bool:
    """Return whether a trust policy lets a service assume the role."""
    return any(
        _services(statement) == [service] and statement.get("Effect") == "Allow"
        for statement in _statements(document)[0]
    )


def allows(document: str, action: str, resource: str) -> bool:
    """Return whether a permission policy that passes `policy_failures` allows an action."""
    return any(
        statement.get("Effect") == "Allow"
        and action in _strings(statement.get("Action"))
        and any(fnmatchcase(resource, pattern) for pattern in _strings(statement.get("Resource")))
        for statement in _statements(document)[0]
    )


def _services(statement: Mapping[str, Any]) -> list[str]:
    """Return the services that are the only principals of a statement; [] with any other."""
    principal = statement.get("Principal")
    if not isinstance(principal, dict) or principal.keys() != {"Service"}:
        return []
    return _strings(cast("Mapping[str, Any]", principal)["Service"])


def _statements(document: str) -> tuple[Sequence[Mapping[str, Any]], list[str]]:
    try:
        parsed = json.loads(document)
    except ValueError as error:
        return [], [f"the policy document is not JSON: {error}"]
    if (
        not isinstance(parsed, dict)
        or cast("Mapping[str, Any]", parsed).get("Version") != "2012-10-17"
    ):
        return [], ['the policy document needs "Version": "2012-10-17"']
    found = cast("Mapping[str, Any]", parsed).get("Statement")
    statements = cast("list[Any]", found) if isinstance(found, list) else [found]
    objects = [
        cast("Mapping[str, Any]", statement)
        for statement in statements
        if isinstance(statement, dict)
    ]
    failures = (
        []
        if objects and len(objects) == len(statements)
        else ["the policy document needs statements"]
    )
    failures += [
        f"statement {index + 1} has the effect {statement.get('Effect')!r}: Allow or Deny"
        for index, statement in enumerate(objects)
        if statement.get("Effect") not in ("Allow", "Deny")
    ]
    return objects, failures


def _strings(value: Any) -> list[str]:
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    return [text for text in items if isinstance(text, str)]
