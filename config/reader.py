"""Reads `pulumi.Config` into a dataclass that declares the configuration keys as its fields.

The field `neon_min_cu: Annotated[float, rule]` declares the key `neonMinCu`: a number that the
rule checks (see `config.rules`). A field of type `Output[str] | None` is an optional secret.

Pydantic is not used, because importing it takes longer than reading the configuration does.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin

import pulumi

from common.errors import UserError
from config.rules import Rule, refuse
from config.types import StackIdentity

M = TypeVar("M", bound=StackIdentity)

SECRET = pulumi.Output[str] | None


@dataclass(frozen=True)
class Key:
    """A configuration key: its name in camelCase, its type, and the rules for its value."""

    name: str
    type: Any
    rules: Sequence[Rule]


def keys_of(model: type[StackIdentity]) -> Mapping[str, Key]:
    """Return the keys that a model declares, by the names of its fields."""
    inherited = {field.name for field in fields(StackIdentity)}
    return {
        field.name: _key(field.name, field.type)
        for field in fields(model)
        if field.name not in inherited
    }


def _key(field_name: str, annotation: Any) -> Key:
    first, *others = field_name.split("_")
    name = first + "".join(part.capitalize() for part in others)
    if get_origin(annotation) is Annotated:
        return Key(name, annotation.__origin__, annotation.__metadata__)
    return Key(name, annotation, ())


def read(model: type[M], config: pulumi.Config, identity: StackIdentity) -> M:
    """Read the configuration of a stack.

    Raises `UserError` for an unknown key of the project, and for a value that is not of its key's
    type or that a rule refuses.
    """
    keys = keys_of(model)
    _refuse_unknown(identity.project, sorted(key.name for key in keys.values()))
    values: dict[str, Any] = {}
    for field_name, key in keys.items():
        value = _typed_value(config, identity.project, key)
        for rule in key.rules:
            value = rule(key.name, value, identity)
        values[field_name] = value
    return model(**vars(identity), **values)


def _refuse_unknown(project: str, known: Sequence[str]) -> None:
    present = {**pulumi.runtime.config.CONFIG.get(), **pulumi.runtime.config.get_config_env()}
    for full_name in sorted(present):
        namespace, _, key = full_name.partition(":")
        if namespace == project and key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.5)
            hint = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(known)}."
            raise UserError(
                f"unknown configuration key {key!r}: {hint} "
                f"Remove it with `pulumi config rm {key}`."
            )


def _typed_value(config: pulumi.Config, project: str, key: Key) -> Any:
    if key.type == SECRET:
        return _secret(config, project, key.name)
    if get_origin(key.type) is Literal:
        allowed = get_args(key.type)
        value = _converted(config.get, "text", project, key.name)
        if value not in allowed:
            refuse(key.name, value, f"{', '.join(allowed)} are allowed")
        return value
    if key.type == Sequence[str]:
        return _texts(config, project, key.name)
    getters: Mapping[Any, tuple[Callable[[str], Any], str]] = {
        str: (config.get, "text"),
        bool: (config.get_bool, "true or false"),
        int: (config.get_int, "a whole number"),
        float: (config.get_float, "a number"),
    }
    get, expected = getters[key.type]
    return _converted(get, expected, project, key.name)


def _converted(get: Callable[[str], Any], expected: str, project: str, key: str) -> Any:
    try:
        value = get(key)
    except (pulumi.ConfigTypeError, ValueError, TypeError):
        value = None
    if value is None:
        refuse(key, pulumi.runtime.get_config(f"{project}:{key}"), f"{expected} is expected")
    return value


def _texts(config: pulumi.Config, project: str, key: str) -> Sequence[str]:
    values = _converted(config.get_object, "a list", project, key)
    if not isinstance(values, list) or not all(
        isinstance(value, str) for value in cast("list[object]", values)
    ):
        refuse(key, values, "a list of texts is expected")
    return cast("Sequence[str]", values)


def _secret(config: pulumi.Config, project: str, key: str) -> pulumi.Output[str] | None:
    """Return an optional secret. Raises `UserError` if the configuration has it as plain text."""
    full_name = f"{project}:{key}"
    is_secret = (
        pulumi.runtime.is_config_secret(full_name)
        or full_name in pulumi.runtime.get_config_secret_keys_env()
    )
    if pulumi.runtime.get_config(full_name) is not None and not is_secret:
        raise UserError(
            f"{key} is in the configuration as plain text: "
            f"set it with `pulumi config set --secret {key}`"
        )
    return config.get_secret(key)
