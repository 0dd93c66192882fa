"""Which variables of a developer's shell reach the project's processes (common/environment.py)."""

import subprocess

import pytest

from common.environment import inherited, package_source_variables, without_libpq
from tests.support.project_files import ROOT

LEAKS = (
    *("PGSSLMODE", "PGOPTIONS", "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGPASSFILE", "PGSYSCONFDIR"),
    *("AWS_PROFILE", "AWS_ENDPOINT_URL", "NEON_API_KEY", "OPENAI_BASE_URL", "VERCEL_TOKEN"),
    *("PULUMI_CONFIG", "PULUMI_STACK", "STACK_LOCAL_CLOUD", "GITHUB_TOKEN"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE", "PYTHONOPTIMIZE"),
    *("NODE_OPTIONS", "NODE_ENV", "NEXT_PUBLIC_API_URL", "PORT", "LD_PRELOAD", "BASH_ENV"),
    *("TZ", "LC_ALL", "LANG", "npm_config_global", "npm_config_omit", "NPM_CONFIG_DRY_RUN"),
    *("DATABASE_URL", "API_KEYS", "STAGE", "CORS_ORIGINS", "VIRTUAL_ENV", "GRPC_VERBOSITY"),
)


@pytest.mark.parametrize("name", LEAKS)
def test_a_variable_for_other_work_reaches_no_process(name: str) -> None:
    assert name not in inherited({name: "of the shell"})


def test_programs_packages_and_the_terminal_are_found() -> None:
    names = (
        *("PATH", "HOME", "TMPDIR", "TERM", "UV_DEFAULT_INDEX", "SSL_CERT_FILE", "LD_LIBRARY_PATH"),
        *("https_proxy", "HTTP_PROXY", "npm_config_registry", "NPM_CONFIG_CAFILE"),
    )
    assert inherited(dict.fromkeys(names, "x")).keys() >= set(names)


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_requests_to_this_machine_bypass_a_proxy(name: str) -> None:
    found = package_source_variables({"HTTPS_PROXY": "http://proxy:3128", name: "example.com"})
    assert found["HTTPS_PROXY"] == "http://proxy:3128"
    for variable in ("no_proxy", "NO_PROXY"):
        assert found[variable] == "example.com,localhost,127.0.0.1,::1"


def test_psql_keeps_the_shells_settings_but_for_those_of_libpq() -> None:
    assert without_libpq({"PGOPTIONS": "x", "PAGER": "less", "PSQL_HISTORY": "h"}) == {
        "PAGER": "less",
        "PSQL_HISTORY": "h",
    }


def test_make_hands_on_no_variable_of_python_or_libpq_and_no_arguments_of_the_shell() -> None:
    shell = {"PYTHONPATH": "x", "PGSSLMODE": "require", "ARGS": "of-the-shell", "NAME": "host"}
    done = subprocess.run(
        ["make", "-f", "-", "show"],
        input=(ROOT / "Makefile").read_text() + '\nshow:\n\t@env; echo "<$(ARGS)$(NAME)>"\n',
        env={"PATH": "/usr/bin:/bin", **shell},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "<>" in done.stdout
    assert "PYTHONPATH" not in done.stdout
    assert "PGSSLMODE" not in done.stdout
