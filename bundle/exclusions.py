"""Tables of the files that a bundle leaves out, and of those that it has without bytecode.

Patterns are shell patterns over the path below `python/`; `*` also matches slashes. The arm64 layer
for Python 3.13 has 16.0 MB zipped by these tables, 23.6 MB with bytecode for everything, 14.1 MB
without any.
"""

import re
from fnmatch import translate

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

# Files of the other distributions. `dist-info` keeps METADATA, entry_points.txt and licences, so
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
    "sqlalchemy/ext/mypy/*": "plugin of a type checker",
    "sqlalchemy/dialects/mssql/*": "the database is Postgres",
    "sqlalchemy/dialects/mysql/*": "the database is Postgres",
    "sqlalchemy/dialects/oracle/*": "the database is Postgres",
    "sqlalchemy/dialects/sqlite/*": "the database is Postgres",
}

# Distributions that requests do not import: Python compiles them in memory when they are used, once
# in each execution environment.
SOURCE_ONLY = {
    "openai": "imported for the first insight, which takes 0.2 s longer; 4.2 MB with all it needs",
    "httpx2": "openai's HTTP client",
    "httpcore2": "openai's HTTP client",
    "h11": "openai's HTTP client",
    "idna": "openai's HTTP client",
    "truststore": "openai's HTTP client",
    "jiter": "openai's JSON parser",
    "sqlalchemy": "imported by migrations only; with the four below 3.4 MB of bytecode",
    "sqlmodel": "imported by migrations only",
    "alembic": "imported by migrations only",
    "mako": "imported by alembic only",
    "markupsafe": "imported by mako only",
}

# Files of the code that most requests do not import: source only too.
SOURCE_ONLY_CODE = {
    "service/migrate.py": "the migration's handler",
    "service/migrations/*": "imported by migrations only",
    "service/schema/tables.py": "imported by migrations only",
    "service/samples/*": "mock data, made on demand",
    "service/schema/responses/*": "imported for the OpenAPI document only",
    "service/http/openapi.py": "imported for the OpenAPI document only",
    "service/schema/requests.py": "imported by requests with a body only",
    "service/insights/*": "imported for insights only, which take longer anyway",
}
# Maximum bytes of code.zip with bytecode; the largest modules get theirs first. The sources alone
# take 127 kB, with all bytecode 313 kB. A module without bytecode is compiled at each cold start.
CODE_BUDGET = 350_000

# Files of `service/` that are left out.
DROPPED_CODE = {
    "__pycache__": "bytecode is the bundle's own",
    "*.pyc": "bytecode is the bundle's own",
    "tests": "tests",
    ".*": "hidden files",
    "*.md": "documentation",
    "*.orig": "left by merges",
    "*.rej": "left by merges",
}


def _matcher(patterns: dict[str, str]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns))


_LEFT_OUT = _matcher(DROPPED_FILES)
_LEFT_OUT_CODE = _matcher(DROPPED_CODE)
_SOURCE_ONLY_CODE = _matcher(SOURCE_ONLY_CODE)
_LICENCE = re.compile(r"[^/]+\.dist-info/(licen[cs]es/|LICEN[CS]E|COPYING|NOTICE|AUTHORS)")


def in_layer(path: str, distribution: str) -> bool:
    """Return whether a file goes into the layer.

    path: below `python/`. distribution: the normalised name of the one that the file belongs to.
    """
    if distribution in DROPPED_DISTRIBUTIONS:
        return False
    return bool(_LICENCE.match(path)) or not _LEFT_OUT.match(path)


def in_code(name: str) -> bool:
    """Return whether a file or directory of that name below `service/` goes into the code."""
    return not _LEFT_OUT_CODE.match(name) and not is_editor_file(name)


def has_bytecode(path: str, distribution: str) -> bool:
    """Return whether the bundle may hold bytecode of a file beside its source.

    distribution: "service" for a file of the code.
    """
    return (
        path.endswith(".py")
        and distribution not in SOURCE_ONLY
        and not _SOURCE_ONLY_CODE.match(path)
    )
