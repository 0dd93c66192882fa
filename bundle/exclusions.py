"""Tables of the files that a bundle leaves out, and of those that it has without bytecode.

Patterns are shell patterns over the path below `python/`; `*` also matches slashes. The arm64 layer
for Python 3.13 has 19.8 MB zipped by these tables, 21.9 MB with bytecode for everything, 14.1 MB
without any.
"""

import re
from fnmatch import fnmatchcase, translate

from common.editor_files import is_editor_file

# Distributions that are part of Lambda's runtime, or that never run there.
DROPPED_DISTRIBUTIONS = {
    "boto3": "part of the runtime",
    "botocore": "part of the runtime",
    "s3transfer": "part of the runtime",
    "uvicorn": "a server; Lambda calls the handler",
    "httptools": "uvicorn's parser",
    "uvloop": "uvicorn's event loop",
    "watchfiles": "uvicorn's reloader",
    "websockets": "no websockets behind an HTTP API",
    "fastapi-cli": "development only",
    "pip": "installs nothing on Lambda",
    "setuptools": "builds nothing on Lambda",
    "wheel": "builds nothing on Lambda",
}

# Files of the other distributions, but for modules that a module that stays imports (see
# bundle/imports.py). `dist-info` keeps METADATA, entry_points.txt and licences, so
# importlib.metadata works, except for the list of a distribution's files.
DROPPED_FILES = {
    "bin/*": "scripts for the machine that installs",
    ".lock": "uv's own",
    "*/__pycache__/*": "bytecode of another interpreter",
    "*.pyc": "bytecode of another interpreter",
    "*.dist-info/RECORD": "names what is left out here",
    "*.dist-info/INSTALLER": "of the installation",
    "*.dist-info/REQUESTED": "of the installation",
    "*.dist-info/direct_url.json": "of the installation",
    "*.dist-info/uv_cache.json": "of the installation",
    "*.dist-info/sboms/*": "for auditors, who read the lock",
    "tests/*": "tests",
    "*/tests/*": "tests",
    "*/mypy.py": "plugin of a type checker",
    "*.pyi": "for type checkers",
    "*/py.typed": "for type checkers",
    "*.c": "source of compiled modules",
    "*.h": "source of compiled modules",
    "*.pyx": "source of compiled modules",
    "*.pxd": "source of compiled modules",
    "*.md": "documentation",
    "*/.agents/*": "documentation",
    "*/.keep": "holds a directory in Git",
    "alembic/templates/*": "new migrations are written on a developer's machine",
    "alembic/testing/*": "tests",
    "mako/testing/*": "tests",
    "sqlalchemy/testing/*": "tests",
    "sqlalchemy/dialects/*/provision.py": "tests",
    "sqlalchemy/ext/mypy/*": "plugin of a type checker",
    "sqlalchemy/dialects/mssql/*": "the database is Postgres",
    "sqlalchemy/dialects/mysql/*": "the database is Postgres",
    "sqlalchemy/dialects/oracle/*": "the database is Postgres",
    "sqlalchemy/dialects/sqlite/*": "the database is Postgres",
}

# Files of the layer that the service does not import, and that are large: source only. Python
# compiles such a file in memory in each execution environment that uses it. What a request, an
# insight or a migration imports has bytecode: without it `import openai` takes 1.0 s of a CPU
# instead of 0.4 s, and `service.migrate` with its tables 2.3 s instead of 0.6 s; a function of
# 512 MB has 29 % of a CPU.
SOURCE_ONLY = {
    "openai/cli/*": "a command",
    "openai/resources/[!_c]*": "interfaces other than chat completions",
    "openai/types/admin/*": "interfaces other than chat completions",
    "openai/types/beta/*": "interfaces other than chat completions",
    "openai/types/evals/*": "interfaces other than chat completions",
    "openai/types/live/*": "interfaces other than chat completions",
    "openai/types/realtime/*": "interfaces other than chat completions",
    "sqlalchemy/ext/[!_c]*": "extensions that migrations do not use",
}

# Maximum bytes of code.zip with bytecode; the largest modules get theirs first. The sources alone
# take 184 kB, with all bytecode 492 kB. A module without bytecode is compiled at each cold start.
CODE_BUDGET = 1_000_000

# Names of files and directories of `service/` that are left out, but for modules of `tests` that a
# module that stays imports.
DROPPED_CODE = {
    "__pycache__": "bytecode is the bundle's own",
    "*.pyc": "bytecode is the bundle's own",
    "tests": "tests",
    ".*": "hidden files",
    "*.md": "documentation",
    "*.orig": "left by merges",
    "*.rej": "left by merges",
}

# Names of files of `service/` that are refused, in lower case. What contains the text of a private
# key is refused whatever its name is; a `.pem` with certificates is fine.
REFUSED_CODE = {
    "*.key": "a private key",
    "*.ppk": "a private key",
    "*.p12": "a key store",
    "*.pfx": "a key store",
    "*.jks": "a key store",
    "*.keystore": "a key store",
    "*.env": "a file of variables",
}


def _matcher(patterns: dict[str, str]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns))


_LEFT_OUT = _matcher(DROPPED_FILES)
_LEFT_OUT_CODE = _matcher(DROPPED_CODE)
_SOURCE_ONLY = _matcher(SOURCE_ONLY)
_LICENCE = re.compile(r"[^/]+\.dist-info/(licen[cs]es/|LICEN[CS]E|COPYING|NOTICE|AUTHORS)")


def is_dropped(distribution: str) -> bool:
    """Return whether no file of a distribution goes into the layer; its name is normalised."""
    return distribution in DROPPED_DISTRIBUTIONS


def in_layer(path: str) -> bool:
    """Return whether a file of another distribution goes into the layer, by its path."""
    return bool(_LICENCE.match(path)) or not _LEFT_OUT.match(path)


def in_code(name: str) -> bool:
    """Return whether a file or directory of that name below `service/` goes into the code."""
    return not _LEFT_OUT_CODE.match(name) and not is_editor_file(name)


def refused(name: str) -> str | None:
    """Return what a file of `service/` is that must not go into the code, or None."""
    return next(
        (what for pattern, what in REFUSED_CODE.items() if fnmatchcase(name.lower(), pattern)), None
    )


def has_bytecode(path: str) -> bool:
    """Return whether the layer may hold bytecode of a file beside its source.

    path: below `python/`.
    """
    return path.endswith(".py") and not _SOURCE_ONLY.match(path)
