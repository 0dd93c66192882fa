"""Reads from the arguments of `stack pulumi` what `stack` needs; the CLI gets all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.stack_config import LOCAL_STACK

NO_FRONTEND = "--no-frontend"
CREATING = {"up", "update", "preview", "pre", "refresh", "import", "watch"}
"""Commands for which a stack that does not exist is created."""
DEPLOYING = CREATING | {"destroy", "down", "dn"}
_KNOWN = DEPLOYING | {"stack", "config"}
_READING_CONFIGURATION = ("", "get")


@dataclass(frozen=True, kw_only=True)
class PulumiArguments:
    """The arguments of one call.

    arguments: those for the CLI. words: the command, if `stack` knows it, and the arguments after
    it that are no flags. stack: the name of the stack, `local` if they name none. frontend: False
    if the first argument is `--no-frontend`.
    """

    arguments: Sequence[str]
    words: Sequence[str]
    stack: str
    frontend: bool

    @classmethod
    def parse(cls, given: Sequence[str]) -> "PulumiArguments":
        """Parse without a list of the CLI's flags, which change from version to version.

        A flag's value looks like a word, as in `-v 3 up`. So all words before the first known
        command are dropped.
        """
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
        while words and words[0] not in _KNOWN:
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
        """Whether the command creates, reads or deletes resources."""
        return self._command in DEPLOYING

    @property
    def creates(self) -> bool:
        """Whether the command creates a stack that does not exist."""
        return self._command in CREATING

    @property
    def removes(self) -> bool:
        """Whether the command is `stack rm`."""
        return self._command == "stack" and self.words[1:2] == ["rm"]

    @property
    def writes_configuration(self) -> bool:
        """Whether the command is one of `config` that writes."""
        return self._command == "config" and (*self.words[1:], "")[0] not in _READING_CONFIGURATION
