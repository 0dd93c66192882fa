"""Bundles that Lambda would refuse or fail with are refused before they are uploaded."""

import random
import shutil
import zipfile
from pathlib import Path

import pytest

from bundle import Limits, build
from common.errors import UserError
from tests.support.bundle_projects import HOST, OTHER, PLAIN_HANDLER, locked, make_project, write

pytestmark = pytest.mark.skipif(
    HOST.system != "linux",
    reason="the tests change binaries of this machine, which are ELF files on Linux only",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def refusal(project: Path, limits: Limits | None = None) -> str:
    with pytest.raises(UserError) as caught:
        build(project, HOST, limits=limits)
    return str(caught.value)


def compiled_module(project: Path) -> bytes:
    bundle = build(project, HOST)
    with zipfile.ZipFile(project / bundle.layer) as file:
        return file.read(next(name for name in file.namelist() if name.endswith(".so")))


def test_a_zip_over_the_limit_is_refused_with_the_largest_packages(project: Path) -> None:
    text = refusal(project, Limits(zipped=20_000))
    assert "layer.zip is 0." in text
    assert "MB zipped, and Lambda takes 0.02 MB" in text
    assert text.index("typing-extensions 4") < text.index("markupsafe 3")
    assert "requirements/service.in" in text


def test_code_over_the_limit_is_refused(project: Path) -> None:
    size = (project / build(project, HOST).layer).stat().st_size
    write(project, "service/noise.bin", random.Random(0).randbytes(size + 1))
    text = refusal(project, Limits(zipped=size))
    assert "code.zip is" in text
    assert "layer.zip is" not in text
    assert "service" in text


def test_the_limit_of_unzipped_bytes_is_for_both_zips_together(project: Path) -> None:
    layer = build(project, HOST).report.layer.unzipped
    write(project, "service/zeros.bin", bytes(50_000))
    text = refusal(project, Limits(unzipped=layer + 40_000))
    assert "MB unzipped, and Lambda takes" in text
    assert "in all" in text


def test_a_refused_bundle_leaves_the_verified_zips(project: Path) -> None:
    first = build(project, HOST)
    before = [(project / path).read_bytes() for path in (first.layer, first.code)]
    write(project, "service/handler.py", "raise RuntimeError('broken')\n")
    refusal(project)
    refusal(project)
    assert [(project / path).read_bytes() for path in (first.layer, first.code)] == before
    write(project, "service/handler.py", PLAIN_HANDLER)
    assert build(project, HOST).version == first.version


def test_a_new_layer_is_not_verified_when_its_smoke_test_failed(project: Path) -> None:
    build(project, HOST)
    write(project, "requirements/service.txt", locked("typing-extensions"))
    for _ in range(2):
        text = refusal(project)
        assert "ModuleNotFoundError: No module named 'markupsafe'" in text
        assert "If markupsafe is a package, it belongs into requirements/service.in" in text


def test_a_binary_for_another_machine_is_refused(project: Path, tmp_path: Path) -> None:
    other = make_project(tmp_path / "other")
    bundle = build(other, OTHER)
    with zipfile.ZipFile(other / bundle.layer) as file:
        foreign = file.read(next(name for name in file.namelist() if name.endswith(".so")))
    write(project, "service/native.so", foreign)
    assert f"service/native.so is for {OTHER.architecture}, not for {HOST.architecture}" in refusal(
        project
    )


def test_a_binary_that_needs_a_newer_glibc_is_refused(project: Path) -> None:
    module = compiled_module(project)
    assert b"\0GLIBC_2." in module
    at = module.index(b"\0GLIBC_2.") + len(b"\0GLIBC_2.")
    end = module.index(b"\0", at)
    newer = module[:at] + b"99"[: end - at].ljust(end - at, b"9") + module[end:]
    write(project, "service/native.so", newer)
    text = refusal(project)
    assert "service/native.so needs glibc 2.9" in text
    assert "Lambda has 2.34" in text


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\xcf\xfa\xed\xfe" + bytes(60), "broken"])
def test_a_binary_that_is_not_a_complete_elf_file_is_refused(
    project: Path, content: bytes | str
) -> None:
    broken = compiled_module(project)[:2000] if isinstance(content, str) else content
    write(project, "service/native.so", broken)
    assert "service/native.so" in refusal(project)


def test_a_handler_that_raises_at_import_is_refused_with_the_end_of_its_traceback(
    project: Path,
) -> None:
    write(project, "service/handler.py", "from service import settings\n")
    write(project, "service/settings.py", "print('noise')\nraise ValueError('STAGE is not set')\n")
    text = refusal(project)
    assert "ValueError: STAGE is not set" in text
    assert "service/settings.py" in text
    assert "noise" not in text


@pytest.mark.parametrize(
    "call",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import urllib.request; urllib.request.urlopen('http://example.com/')",
        "import socket\ntry: socket.getaddrinfo('example.com', 443)\nexcept OSError: pass",
    ],
)
def test_a_handler_that_uses_the_network_is_refused_even_if_it_catches_the_exception(
    project: Path, call: str
) -> None:
    write(project, "service/handler.py", f"{call}\n{PLAIN_HANDLER}")
    assert "It used the network (socket." in refusal(project)


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (
            "def handler(event, context):\n    return {'statusCode': 500, 'body': 'oh'}\n",
            "GET / returned {'statusCode': 500, 'body': 'oh'}",
        ),
        ("def handler(event, context):\n    return 'text'\n", "GET / returned text"),
        ("def handle(event, context):\n    return {}\n", "has no attribute 'handler'"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("import os\nos._exit(3)\n", "the process ended with 3"),
    ],
)
def test_a_handler_without_a_response_200_is_refused(
    project: Path, handler: str, reason: str
) -> None:
    write(project, "service/handler.py", handler)
    assert reason in refusal(project)


@pytest.mark.parametrize("name", ["migrate", "upkeep"])
def test_a_migration_or_upkeep_without_a_handler_is_refused(project: Path, name: str) -> None:
    write(project, f"service/{name}.py", "X = 1\n")
    assert "has no attribute 'handler'" in refusal(project)


def test_the_smoke_test_sees_the_bundle_and_nothing_else_of_this_machine(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("SECRET_VARIABLE", "x")
    write(
        project,
        "service/handler.py",
        "import os\nassert 'SECRET_VARIABLE' not in os.environ\nimport pytest\n",
    )
    assert "No module named 'pytest'" in refusal(project)


def test_the_error_names_a_package_that_is_left_out_because_lambda_has_it(project: Path) -> None:
    write(project, "service/handler.py", "import boto3\n")
    assert "The bundle leaves boto3 out (part of the runtime)" in refusal(project)


def test_code_with_a_syntax_error_is_refused_before_packages_are_installed(project: Path) -> None:
    write(project, "service/routes.py", "def f(:\n")
    text = refusal(project)
    assert "service/routes.py: invalid syntax" in text
    assert not (project / ".local" / "bundle" / HOST.name / "layer.zip").exists()


def test_a_missing_incomplete_or_wrong_lock_is_refused(
    project: Path,
) -> None:
    lock = project / "requirements" / "service.txt"
    lock.write_text(locked("markupsafe").replace("sha256:", "sha256:0"))
    assert "uv could not install requirements/service.txt" in refusal(project)
    lock.write_text(locked("starlette"))
    assert "anyio" in refusal(project)
    lock.unlink()
    assert "`make lock`" in refusal(project)


def test_a_missing_service_is_refused(project: Path) -> None:
    shutil.rmtree(project / "service")
    assert "it holds what Lambda runs" in refusal(project)
