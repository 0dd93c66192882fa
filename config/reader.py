"""Reads `pulumi.Config` into a dataclass that declares the configuration keys as its fields.

The field `neon_min_cu: Annotated[float, rule]` declares the key `neonMinCu`: a number that the
rule checks (see `config.rules`). A field of type `Output[str] | None` is an optional secret.

Pydantic is not used, because importing it takes longer than reading the configuration does.
"""

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin

import pulumi

from common.errors import UserError
from config.location import how_to_remove
from config.rules import RefusedValueError, Rule, refuse
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


def camel_case(name: str) -> str:
    """Return the name of a key: `neon_min_cu` is `neonMinCu`."""
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def did_you_mean(name: str, known: Collection[str], *, namespace: str = "") -> str:
    """Return a sentence with the nearest known name in its namespace, or with all names."""
    near = difflib.get_close_matches(name, known, 1, 0.5)
    return f'did you mean "{namespace}{near[0]}"?' if near else f"known are {', '.join(known)}."


def _key(field_name: str, annotation: Any) -> Key:
    name = camel_case(field_name)
    if get_origin(annotation) is Annotated:
        return Key(name, annotation.__origin__, annotation.__metadata__)
    return Key(name, annotation, ())


def read(model: type[M], config: pulumi.Config, identity: StackIdentity) -> M:
    """Read the configuration of a stack.

    Raises `UserError` for an unknown key of the project, and for a value that is not of its key's
    type or that a rule refuses.
    """
    keys = keys_of(model)
    _refuse_unknown(identity, sorted(key.name for key in keys.values()))
    values: dict[str, Any] = {}
    for field_name, key in keys.items():
        value = _typed_value(config, identity.project, key)
        for rule in key.rules:
            value = rule(key.name, value, identity)
        values[field_name] = value
    return model(**vars(identity), **values)


def namespace(name: str) -> Mapping[str, str]:
    """Return the configuration of a provider, such as `aws`: texts by key without its namespace."""
    present = {**pulumi.runtime.config.CONFIG.get(), **pulumi.runtime.config.get_config_env()}
    return {
        key.removeprefix(f"{name}:"): value
        for key, value in sorted(present.items())
        if key.startswith(f"{name}:")
    }


def is_secret(full_name: str) -> bool:
    """Return whether a value is secret. The CLI passes the secret keys in the environment."""
    return (
        pulumi.runtime.is_config_secret(full_name)
        or full_name in pulumi.runtime.get_config_secret_keys_env()
    )


def _refuse_unknown(identity: StackIdentity, known: Sequence[str]) -> None:
    for key in namespace(identity.project):
        if key not in known:
            raise UserError(
                f"unknown configuration key {key!r}: {did_you_mean(key, known)} "
                f"{how_to_remove(key, identity)}"
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
    try:
        values = config.get_object(key)
    except (pulumi.ConfigTypeError, ValueError):
        values = pulumi.runtime.get_config(f"{project}:{key}")
    if not isinstance(values, list):
        reason = f"is {values!r}: a list of texts is expected"
        raise RefusedValueError(key, reason, path=f"{key}[0]")
    # `pulumi config set --path` writes digits as a number, such as the id of an account.
    texts = [str(item) if type(item) is int else item for item in cast("list[object]", values)]
    for index, item in enumerate(texts):
        if not isinstance(item, str):
            refuse(f"{key}[{index}]", item, "a text is expected")
    return cast("Sequence[str]", texts)


def _secret(config: pulumi.Config, project: str, key: str) -> pulumi.Output[str] | None:
    """Return an optional secret.

    Raises `UserError` if the configuration has it as plain text, or has an empty text: its author
    expects it to be in force.
    """
    full_name = f"{project}:{key}"
    value = pulumi.runtime.get_config(full_name)
    if value is not None and not is_secret(full_name):
        raise UserError(
            f"{key} is in the configuration as plain text: "
            f"set it with `pulumi config set --secret {key}`"
        )
    if value is not None and not value.strip():
        raise RefusedValueError(key, "is empty: set it, or remove the key")
    return config.get_secret(key)
