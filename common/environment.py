"""The variables of the shell that reach the project's own processes.

A developer's shell has variables for other work: `PGSSLMODE` for another database, `NODE_OPTIONS`,
`PYTHONPATH`, credentials of a cloud. What a process gets is therefore listed here; a process that
must depend on less (function, database server, build of the pages) gets an environment of its own.
"""

import os
from collections.abc import Mapping

_TERMINAL = ("TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LINES")
_USER = ("HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
_PROGRAMS = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYENV_ROOT", "VOLTA_HOME", "NVM_DIR")
_PROGRAM_PREFIXES = ("ASDF_", "MISE_", "NODENV_", "FNM_", "UV_")  # version managers, and uv
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_NPM_PREFIX = "npm_config_"
_NPM = (
    *("registry", "proxy", "https_proxy", "noproxy", "ca", "cafile", "strict_ssl", "cache"),
    *(
        "userconfig",
        "globalconfig",
        "_auth",
        "_authtoken",
        "fetch_timeout",
        "fetch_retries",
        "maxsockets",
    ),
)
"""npm's settings for where packages come from. Others change what is installed, and `npm run`
sets many for the commands that it runs."""
_LOOPBACK = "localhost,127.0.0.1,::1"


def inherited(shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for a process of the project.

    Requests to this machine bypass a proxy, and Python uses UTF-8 whatever the locale is.
    """
    found = {
        name: value
        for name, value in shell.items()
        if name in (*_TERMINAL, *_USER, *_PROGRAMS) or name.startswith(_PROGRAM_PREFIXES)
    }
    return {**found, **package_source_variables(shell), "PYTHONUTF8": "1"}


def package_source_variables(shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables for downloads: npm's registry, proxies and certificates."""
    found = {
        name: value
        for name, value in shell.items()
        if name in _CERTIFICATES
        or name.lower() in _PROXIES
        or (
            name.lower().startswith(_NPM_PREFIX)
            and name.lower().removeprefix(_NPM_PREFIX).replace("-", "_") in _NPM
        )
    }
    direct = ",".join(filter(None, (shell.get("no_proxy") or shell.get("NO_PROXY"), _LOOPBACK)))
    return {**found, "no_proxy": direct, "NO_PROXY": direct}


def without_libpq(shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the shell's environment without the parameters that libpq reads from it."""
    return {name: value for name, value in shell.items() if not name.startswith("PG")}


def remove_libpq_variables() -> None:
    """Remove libpq's variables from this process.

    libpq takes every parameter that a URL lacks from them, so a URL is not enough to connect to
    the database that it names.
    """
    for name in os.environ.keys() - without_libpq().keys():
        del os.environ[name]
