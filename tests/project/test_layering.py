"""Checks which package may import which (docs/architecture.md), from the source.

Imports inside functions count too.
"""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.project_files import ROOT

TYPE_TOKEN = re.compile(r"\b(aws|neon|vercel):[A-Za-z0-9]+/[A-Za-z0-9]+:[A-Z]")
PROVIDERS = {"pulumi_aws", "pulumi_neon", "pulumiverse_vercel"}
HTTP = {"fastapi", "starlette", "mangum", "http", "httpx", "requests"}
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s.+\sSET|DELETE\s+FROM|COPY\s.+\sFROM)\b", re.DOTALL
)


def files(*below: str) -> list[Path]:
    """Python files below directories, or single files, as paths relative to the project."""
    found = [
        path
        for name in below
        for path in ([ROOT / name] if name.endswith(".py") else sorted((ROOT / name).rglob("*.py")))
    ]
    return [path.relative_to(ROOT) for path in found]


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, `from a import b` as both `a` and `a.b`."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def texts(path: Path) -> list[str]:
    """String constants, those of f-strings too."""
    return [
        node.value
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an attribute chain, "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    inner = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{inner}.{node.attr}" if inner and isinstance(node, ast.Attribute) else ""


def mentions(path: Path) -> Iterator[str]:
    """Modules and attribute chains that a file names."""
    yield from imports(path)
    yield from (dotted(node) for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute))


LAYERS = (
    ("common",),
    ("bundle", "sdks"),
    ("config",),
    ("components",),
    ("stack/local/system",),
    ("stack/local/resources",),
    (
        "stack/local/cloudwatch",
        "stack/local/iam",
        "stack/local/vercel",
        "stack/local/neon/postgres",
    ),
    ("stack/local/neon", "stack/local/lambda_"),
    ("stack/local/apigateway",),
    ("stack/local/registry.py", "stack/local/cloud.py", "stack/local/deploy"),
    ("stack/local/pulumi_provider",),
    ("stack/local/daemon",),
    ("stack/report",),
    ("stack/cli",),
)
"""Packages from the lowest layer to the highest: each imports packages of lower layers only."""

SERVICE_LAYERS = (
    (
        "service/clock.py",
        "service/errors.py",
        "service/logs.py",
        "service/migration_files.py",
        "service/startup.py",
    ),
    ("service/deadline.py",),
    ("service/scoring",),
    ("service/playbooks",),
    ("service/schema",),
    ("service/settings.py", "service/importing", "service/samples"),
    ("service/insights",),
    ("service/database",),
    ("service/queries",),
    ("service/http",),
    ("service/routes",),
    ("service/app.py", "service/health.py"),
    ("service/handler.py", "service/migrate.py", "service/upkeep.py"),
    ("service/migrations",),
)
FORBIDDEN = {
    "service": {"bundle", "common", "components", "config", "stack", "pulumi", "tests", *PROVIDERS},
    "components": {"service", "tests"},
    "bundle": {"service", "tests", "pulumi", *PROVIDERS},
    "config": {"service", "tests", *PROVIDERS},
    "common": {"service", "tests", "pulumi", *PROVIDERS},
    "stack": {"service", "tests"},
    "stack/report": PROVIDERS,
    "stack/cli": {"pulumi", *PROVIDERS},
    "sdks": {"service", "tests"},
}


def layer_of(layers: tuple[tuple[str, ...], ...], path: str) -> tuple[int, str] | None:
    """Return the layer's index and the package of a file: the longest name that matches."""
    found = [
        (len(name), index, name)
        for index, names in enumerate(layers)
        for name in names
        if path == name or path.startswith(f"{name}/")
    ]
    return max(found)[1:] if found else None


def imported_files(path: Path) -> set[str]:
    """Files of this project that a file imports."""
    candidates = (name.replace(".", "/") for name in imports(path))
    found = {
        file
        for name in candidates
        for file in (f"{name}.py", f"{name}/__init__.py")
        if (ROOT / file).is_file()
    }
    return found - {f"{parent.as_posix()}/__init__.py" for parent in path.parents}


@pytest.mark.parametrize("layers", [LAYERS, SERVICE_LAYERS], ids=["project", "service"])
def test_every_import_points_to_a_lower_layer(layers: tuple[tuple[str, ...], ...]):
    upward: list[str] = []
    roots_of = {name.split("/")[0] for names in layers for name in names}
    for path in files(*sorted(roots_of)):
        own = layer_of(layers, path.as_posix())
        if own is None:
            assert path.name == "__init__.py", f"{path} belongs to no layer"
            continue
        for target in imported_files(path):
            other = layer_of(layers, target)
            if other is not None and other[1] != own[1] and other[0] >= own[0]:
                upward.append(f"{path} imports {target}")
    assert sorted(upward) == []


def test_there_is_source_to_look_at():
    for names in (*LAYERS, *SERVICE_LAYERS):
        for name in names:
            assert files(name), name


@pytest.mark.parametrize(("package", "never"), FORBIDDEN.items())
def test_a_package_imports_nothing_that_is_forbidden_to_it(package: str, never: set[str]):
    assert {str(path): found for path in files(package) if (found := roots(path) & never)} == {}


@pytest.mark.parametrize("package", ["bundle", "common", "components", "config", "stack"])
def test_what_a_package_imports_is_a_requirement_of_its_own_and_not_of_the_service(
    package: str,
) -> None:
    lines = (ROOT / "requirements/all.in").read_text(encoding="utf-8").splitlines()
    own = {re.split("[=<>~ ]", line)[0] for line in lines if line and line[0] not in "#-"}
    distributions = packages_distributions()
    project = {path.name for path in ROOT.iterdir()} | {"pulumi_neon"}
    missing = {
        f"{path} imports {name}"
        for path in files(package)
        for name in roots(path) - project - sys.stdlib_module_names
        if not {found.lower().replace("_", "-") for found in distributions.get(name, [])} & own
    }
    assert missing == set()
    assert {"psycopg2-binary", "pyyaml"} <= own


def test_the_program_imports_components_configuration_and_pulumi_alone():
    assert roots(Path("__main__.py")) == {"components", "config", "pulumi"}


HANDLER_FILES = {
    *(
        f"stack/local/{service}/resources.py"
        for service in ("apigateway", "cloudwatch", "iam", "lambda_", "vercel")
    ),
    *("stack/local/neon/projects.py", "stack/local/neon/branches.py", "stack/local/registry.py"),
}


def test_only_resource_handlers_know_the_providers_sdks_and_type_tokens():
    elsewhere = [path for path in files("stack/local") if path.as_posix() not in HANDLER_FILES]
    assert {str(path): found for path in elsewhere if (found := roots(path) & PROVIDERS)} == {}
    assert {
        str(path): text for path in elsewhere for text in texts(path) if TYPE_TOKEN.search(text)
    } == {}


def test_of_the_report_only_the_cost_knows_types_and_only_the_snapshot_runs_a_program():
    assert {
        path.name
        for path in files("stack/report")
        for text in texts(path)
        if TYPE_TOKEN.search(text)
    } == {"cost.py"}
    assert {
        path.name for path in files("stack/report") if "stack.local.resources.sdk" in imports(path)
    } == {"snapshot.py"}


def test_components_write_no_type_tokens_of_providers_either():
    assert {
        str(path): text
        for path in files("components", "__main__.py")
        for text in texts(path)
        if TYPE_TOKEN.search(text)
    } == {}


def test_only_one_file_of_the_local_cloud_touches_the_internals_of_the_pulumi_sdk():
    internal = re.compile(r"pulumi\.(runtime|_\w+|output|resource|provider)\b")
    found = {
        str(path) for path in files("stack") if any(internal.match(name) for name in mentions(path))
    }
    assert found == {"stack/local/resources/sdk.py"}


def test_components_use_of_the_runtime_only_what_reads_the_configuration():
    runtime = re.compile(r"pulumi\.(runtime|_\w+)\b.*")
    found = {
        str(path): {name for name in mentions(path) if runtime.match(name)}
        for path in files("components", "config", "__main__.py")
    }
    found = {
        path: {name.split(".")[-1] for name in names} for path, names in found.items() if names
    }
    assert found.keys() <= {"config/stack_config.py", "config/reader.py"}
    reads = {
        "CONFIG",
        "get",
        "get_config",
        "get_config_env",
        "get_config_secret_keys_env",
        "is_config_secret",
        "config",
        "runtime",
    }
    assert set().union(*found.values()) <= reads


def calls(path: Path, name: str) -> bool:
    return any(
        isinstance(node, ast.Call) and dotted(node.func) == name for node in ast.walk(tree(path))
    )


def test_the_configuration_is_read_in_one_place():
    assert [
        str(path)
        for path in files("__main__.py", "components", "config")
        if calls(path, "pulumi.Config")
    ] == ["config/stack_config.py"]


def test_the_program_is_a_picture_without_logic():
    logic = (
        ast.If, ast.IfExp, ast.For, ast.While, ast.Try, ast.With, ast.FunctionDef, ast.ClassDef,
        ast.Lambda, ast.ListComp, ast.DictComp,
        ast.GeneratorExp, ast.BoolOp, ast.Compare,
    )  # fmt: skip
    program = tree(Path("__main__.py"))
    assert [ast.unparse(node) for node in ast.walk(program) if isinstance(node, logic)] == []
    assert len((ROOT / "__main__.py").read_text().splitlines()) <= 90


def constructs(path: Path) -> list[ast.ClassDef]:
    return [
        node
        for node in tree(path).body
        if isinstance(node, ast.ClassDef)
        and any(dotted(base) == "pulumi.ComponentResource" for base in node.bases)
    ]


COMPONENTS = [(path, node) for path in files("components") for node in constructs(path)]


@pytest.mark.parametrize(("path", "node"), COMPONENTS, ids=[node.name for _, node in COMPONENTS])
def test_a_component_has_a_docstring_frozen_arguments_and_registers_its_outputs_last(
    path: Path, node: ast.ClassDef
):
    assert ast.get_docstring(node), "what it makes"
    arguments = next(
        other
        for other in tree(path).body
        if isinstance(other, ast.ClassDef) and other.name == f"{node.name}Args"
    )
    assert ast.get_docstring(arguments)
    assert [ast.unparse(decorator) for decorator in arguments.decorator_list] == [
        "dataclass(frozen=True, kw_only=True)"
    ]
    init = next(
        item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"
    )
    assert ast.unparse(init.body[-1]).startswith("self.register_outputs(")
    registrations = [
        inner
        for inner in ast.walk(node)
        if isinstance(inner, ast.Call) and dotted(inner.func) == "self.register_outputs"
    ]
    assert len(registrations) == 1
    token = next(
        inner
        for inner in ast.walk(init)
        if isinstance(inner, ast.Constant) and str(inner.value).startswith("ai-success-insights:")
    )
    assert token.value == f"ai-success-insights:index:{node.name}"


def test_children_never_take_over_the_callers_options():
    def merges(path: Path) -> bool:
        return calls(path, "pulumi.ResourceOptions.merge")

    assert [str(path) for path in files("components") if merges(path)] == []


def package(name: str) -> list[Path]:
    found = files(f"service/{name}")
    if not found:
        pytest.skip(f"there is no service/{name} yet")
    return found


def test_queries_hold_no_http():
    assert {str(path): found for path in package("queries") if (found := roots(path) & HTTP)} == {}
    assert not [
        path
        for path in package("queries")
        if any(name.startswith("service.routes") for name in imports(path))
    ]


def test_routes_hold_no_sql():
    drivers = {"psycopg2", "sqlalchemy", "sqlmodel", "alembic"}
    assert {
        str(path): found for path in package("routes") if (found := roots(path) & drivers)
    } == {}
    assert {
        str(path): text for path in package("routes") for text in texts(path) if SQL.search(text)
    } == {}
    assert any(SQL.search(text) for path in package("queries") for text in texts(path)), (
        "the pattern would see SQL where there is some"
    )
