"""The real layer: its bytes are reproducible, it is small enough, and its packages work."""

import json
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundle import Bundle, Target, build, elf
from bundle.cache import exclusive
from bundle.interpreter import Interpreter, find_interpreter
from common.errors import UserError
from tests.support.bundle_projects import FASTAPI_HANDLER, HOST, LOCK, ROOT, make_project, write


def project(root: Path) -> Path:
    make_project(root, handler=FASTAPI_HANDLER, lock=LOCK)
    write(root, "service/queries/accounts.sql", "select 1")
    write(
        root,
        "service/shared.py",
        'NAMES = {"one", "two", "three"}\nNESTED = (lambda: frozenset(NAMES))()\n',
    )
    return root


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project for all test processes: the first builds it, the others find it up to date."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "bundle-shared"
    with exclusive(shared.with_suffix(".lock"), lambda: None):
        return shared if shared.exists() else project(shared)


@pytest.fixture(scope="session")
def interpreter() -> Interpreter:
    """The program's default Python where this machine has it, else the one that runs the tests."""
    try:
        return find_interpreter("3.13")
    except UserError:
        return find_interpreter(HOST.python)


@pytest.fixture(scope="session")
def target(interpreter: Interpreter) -> Target:
    return Target(architecture="arm64", python=interpreter.minor)


@pytest.fixture(scope="session")
def bundle(root: Path, target: Target) -> Bundle:
    return build(root, target)


@pytest.fixture
def layer(root: Path, bundle: Bundle) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(root / bundle.layer) as file:
        yield file


@pytest.fixture
def run(root: Path, bundle: Bundle, interpreter: Interpreter) -> Callable[[str], str]:
    """Run a program with the host build of the layer and the standard library only."""
    (host_layer,) = (root / bundle.layer).parent.glob("host-layer-*/python")

    def run(program: str) -> str:
        text = f"import sys; sys.path.insert(0, {str(host_layer)!r})\n{program}"
        process = subprocess.run(
            [interpreter.path, "-I", "-S", "-B", "-c", text],
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    return run


def test_the_bytes_do_not_depend_on_directory_environment_or_run(
    root: Path, bundle: Bundle, target: Target, tmp_path: Path
) -> None:
    other = project(tmp_path / "another directory ü")
    for path in [*other.rglob("*")]:
        path.chmod(0o700)
        os.utime(path, (1_000_000_000, 2_000_000_000))
    shell = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "" if os.environ.get("PYTHONDONTWRITEBYTECODE") else "1",
        "PYTHONHASHSEED": "4711",
        "PYTHONOPTIMIZE": "1",
        "TZ": "Pacific/Chatham",
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "1",
        "UV_COMPILE_BYTECODE": "1",
        "UV_LINK_MODE": "copy",
    }
    program = (
        "import os, sys; os.umask(0o077)\n"
        "from pathlib import Path; from bundle import Target, build\n"
        "build(Path.cwd(), Target(architecture=sys.argv[1], python=sys.argv[2]))"
    )
    subprocess.run(
        [sys.executable, "-c", program, target.architecture, target.python],
        cwd=other,
        env=shell,
        check=True,
    )
    assert (other / bundle.code).read_bytes() == (root / bundle.code).read_bytes()
    assert (other / bundle.layer).read_bytes() == (root / bundle.layer).read_bytes()


def test_the_layer_with_its_bytecode_has_at_most_22_megabytes(bundle: Bundle) -> None:
    assert bundle.report.layer.zipped <= 22e6
    assert bundle.report.bytecode is not None


def test_bytecode_is_unchecked_and_has_lambdas_paths(
    root: Path, bundle: Bundle, run: Callable[[str], str]
) -> None:
    program = "import marshal\nfrom pathlib import Path\ndata = Path({!r}).read_bytes()\n"
    program += "print(data[4:8].hex(), marshal.loads(data[16:]).co_filename)"
    tag = f"cpython-{bundle.report.python.replace('.', '')}"
    for archive, name, path in (
        (
            bundle.layer,
            "python/fastapi/__pycache__/applications",
            "/opt/python/fastapi/applications.py",
        ),
        (bundle.code, "service/__pycache__/shared", "/var/task/service/shared.py"),
    ):
        with zipfile.ZipFile(root / archive) as file:
            data = write(root.parent, f"{archive.stem}.pyc", file.read(f"{name}.{tag}.pyc"))
        assert run(program.format(str(data))).split() == ["01000000", path]


def test_what_requests_insights_and_migrations_import_has_bytecode(
    layer: zipfile.ZipFile, run: Callable[[str], str]
) -> None:
    program = (
        "import fastapi, mangum, psycopg2, openai.resources.chat.completions, sqlmodel\n"
        "import alembic.command, alembic.runtime.environment, sqlalchemy.dialects.postgresql\n"
        "openai.AsyncOpenAI(api_key='x')\n"
        "base = sys.path[0]\n"
        "files = [getattr(module, '__file__', None) for module in [*sys.modules.values()]]\n"
        "print(*(f[len(base) + 1:] for f in files if f and f.startswith(base) and f[-3:] == '.py'))"
    )
    imported = run(program).split()
    assert len(imported) > 500
    compiled = {
        name.removeprefix("python/").replace("__pycache__/", "").partition(".cpython-")[0]
        for name in layer.namelist()
        if name.endswith(".pyc")
    }
    assert [name for name in imported if name.removesuffix(".py") not in compiled] == []
    unused = ("openai/resources/beta/", "openai/types/realtime/", "sqlalchemy/ext/asyncio/")
    assert not [name for name in compiled if name.startswith(unused)]


def test_files_that_lambda_does_not_need_are_left_out(layer: zipfile.ZipFile) -> None:
    listed = layer.namelist()
    assert layer.testzip() is None
    assert all(name.startswith("python/") for name in listed)
    wrong = (
        "/tests/",
        "/bin/",
        ".dist-info/RECORD",
        ".dist-info/INSTALLER",
        "sqlalchemy/testing/",
        "dialects/oracle/",
        "/.agents/",
    )
    assert not [
        name
        for name in listed
        if name.endswith((".pyi", ".c", ".pxd", ".lock", "py.typed"))
        or any(part in name for part in wrong)
    ]
    assert any(name.endswith("licenses/LICENSE") for name in listed)


def test_debug_sections_of_binaries_are_empty(layer: zipfile.ZipFile) -> None:
    module = layer.read(
        next(
            name
            for name in layer.namelist()
            if "sqlalchemy/engine/_row_cy" in name and name.endswith(".so")
        )
    )
    assert b".debug_info\0" in module
    assert elf.without_debug(module) == module
    assert len(zlib.compress(module)) < len(module) / 4


def test_modules_with_emptied_debug_sections_load(run: Callable[[str], str]) -> None:
    modules = [
        "psycopg2",
        "pydantic_core",
        "jiter",
        "markupsafe._speedups",
        "sqlalchemy.engine._row_cy",
        "sqlalchemy.util._collections_cy",
    ]
    program = "import importlib\n"
    program += f"for name in {modules}: print(importlib.import_module(name).__name__)"
    assert run(program).split() == modules


def test_metadata_of_the_distributions_can_be_read(run: Callable[[str], str]) -> None:
    program = """
import json
from importlib import metadata
found = {d.name: d.version for d in metadata.distributions()}
print(json.dumps([
    found,
    metadata.version("psycopg2-binary"),
    len(metadata.entry_points(group="opentelemetry_context")),
    metadata.files("pydantic"),
    metadata.metadata("fastapi")["Requires-Python"],
]))
"""
    found, psycopg, entry_points, files, requires = json.loads(run(program))
    locked = dict(re.findall(r"^(\S+)==(\S+)", LOCK, re.MULTILINE))
    locked.pop("httpx2-jsfetch", None)  # for browsers only
    assert {name.lower().replace("_", "-"): version for name, version in found.items()} == locked
    assert psycopg == locked["psycopg2-binary"]
    assert entry_points == 1
    assert files is None
    assert requires.startswith(">=3.")


def test_alembic_and_sqlmodel_work_without_the_files_that_are_left_out(
    run: Callable[[str], str], tmp_path: Path
) -> None:
    versions = tmp_path / "migrations" / "versions"
    write(
        versions.parent,
        "env.py",
        "from alembic import context\n"
        "context.configure(dialect_name='postgresql')\n"
        "context.run_migrations()\n",
    )
    write(
        versions,
        "0001.py",
        "from alembic import op\nimport sqlalchemy as sa\nrevision, down_revision = '0001', None\n"
        "def upgrade():\n"
        "    number = sa.Column('id', sa.BigInteger, primary_key=True)\n"
        "    op.create_table('accounts', number, sa.Column('x', sa.JSON))\n",
    )
    program = f"""
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlmodel import Field, SQLModel
class Account(SQLModel, table=True):
    id: int = Field(primary_key=True)
create_engine("postgresql+psycopg2://u:p@localhost/x")
config = Config()
config.set_main_option("script_location", {str(versions.parent)!r})
command.upgrade(config, "head", sql=True)
"""
    assert "CREATE TABLE accounts" in run(program)


def test_openai_can_be_imported(run: Callable[[str], str]) -> None:
    assert run("import openai; print(openai.OpenAI(api_key='x').base_url)").startswith("https://")
