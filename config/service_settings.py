"""Applies the service's own rules to the environment that a stack would give it."""

import importlib
import importlib.util
from collections.abc import Mapping

MODULE = "service.settings"


def refused_variable(variables: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the variable that the service would refuse at its start, and the reason; or None.

    A service has rules if it has the module `service.settings` with `Settings.from_environment`,
    which raises `SettingsError(variable, reason)`. It is imported by name, because it belongs to
    the service, which can be replaced by another one.
    """
    if importlib.util.find_spec(MODULE) is None:
        return None
    settings = importlib.import_module(MODULE)
    try:
        settings.Settings.from_environment(variables)
    except settings.SettingsError as error:
        return error.variable, error.reason
    return None
