"""What the arguments of `stack pulumi` say to `stack`; all of them go on to the CLI as they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.stack_config import LOCAL_STACK

NO_FRONTEND = "--no-frontend"
BEGINNING = {"up", "update", "preview", "pre", "refresh", "import", "watch"}
"""Commands that a stack which is not there yet is made for."""
DEPLOYING = BEGINNING | {"destroy", "down", "dn"}
_KNOWN = DEPLOYING | {"stack", "config"}
_READING_CONFIGURATION = ("", "get")


@dataclass(frozen=True, kw_only=True)
class PulumiArguments:
    """Arguments of one call.

    arguments: what the CLI is given. words: the command that matters here, and what follows it that is no flag.
    stack: the one that is meant, `local` unless they name one. frontend: False when they begin with `--no-frontend`.
    """

    arguments: Sequence[str]
    words: Sequence[str]
    stack: str
    frontend: bool

    @classmethod
    def parse(cls, given: Sequence[str]) -> "PulumiArguments":
        frontend = list(given[:1]) != [NO_FRONTEND]
        arguments = list(given if frontend else given[1:])
        words: list[str] = []
        named = ""
        rest = iter(arguments)
        for argument in rest:
            if argument in ("--stack", "-s"):
                named = next(rest, "")
            elif argument.startswith(("--stack=", "-s")):
                named = argument.removeprefix("--stack").removeprefix("-s").removeprefix("=")
            elif not argument.startswith("-"):
                words.append(argument)
        while (
            words and words[0] not in _KNOWN
        ):  # a flag's value, or a command that `stack` has nothing to do with
            words.pop(0)
        if (
            words[:1] == ["stack"]
            and words[1:2] in (["init"], ["rm"], ["select"])
            and len(words) > 2
        ):
            named = named or words[2]
        return cls(
            arguments=arguments,
            words=words,
            stack=named.rpartition("/")[2] or LOCAL_STACK,
            frontend=frontend,
        )

    @property
    def _command(self) -> str:
        return "" if {"--help", "-h"} & set(self.arguments) else (*self.words, "")[0]

    @property
    def deploys(self) -> bool:
        """Whether resources are made, read or deleted."""
        return self._command in DEPLOYING

    @property
    def creates(self) -> bool:
        return self._command in BEGINNING

    @property
    def removes(self) -> bool:
        return self._command == "stack" and self.words[1:2] == ["rm"]

    @property
    def writes_configuration(self) -> bool:
        return self._command == "config" and (*self.words[1:], "")[0] not in _READING_CONFIGURATION
