"""Which files of `service/` go into the code, and which are refused by name, kind or content."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle import build, build_code
from bundle.file_tree import code_tree
from common.errors import UserError
from tests.support.bundle_projects import HOST, make_project, names, write

KEY = "-----BEGIN {}PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"
SECRET_FILES = {
    "tls.pem": KEY.format(""),
    "id_ed25519": KEY.format("OPENSSH "),
    "rsa.txt": KEY.format("RSA "),
    "sealed.pem": KEY.format("ENCRYPTED ").replace("\n", "\r\n"),
    "account.json": '{"private_key": "' + KEY.format("").replace("\n", "\\n") + '"}',
    "settings.py": "KEY = '''" + KEY.format("EC ") + "'''\n",
    "pgp.asc": KEY.format("PGP ").replace("KEY-----", "KEY BLOCK-----\n"),
    "tls.key": "",
    "TLS.KEY": "",
    "store.p12": "",
    "store.pfx": "",
    "store.jks": "",
    "prod.env": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def refusal(project: Path) -> str:
    with pytest.raises(UserError) as caught:
        build_code(project)
    return str(caught.value)


@pytest.mark.parametrize("name", SECRET_FILES)
def test_a_key_is_refused_by_name_or_content_also_under_watch(project: Path, name: str) -> None:
    write(project, f"service/certs/{name}", SECRET_FILES[name])
    text = refusal(project)
    assert text.startswith(f"service/certs/{name} ")
    assert "pass the value as a secret" in text
    assert "MIIEv" not in text
    with pytest.raises(UserError, match=f"service/certs/{name} "):
        build(project, HOST)


def test_certificates_and_code_about_keys_stay_and_hidden_files_do_not(project: Path) -> None:
    certificate = "-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"
    write(project, "service/ca.pem", certificate)
    write(project, "service/keys.py", "HEAD = '-----BEGIN PRIVATE KEY-----'\n")
    write(project, "service/.env", "SECRET=1")
    write(project, "service/.ssh/id_rsa", KEY.format(""))
    assert {path.rpartition("/")[2] for path in names(project / build(project, HOST).code)} >= {
        "ca.pem",
        "keys.py",
    }
    assert not [entry for entry in code_tree(project).entries if "/." in entry.name]


def link_to_file(path: Path) -> None:
    path.symlink_to("handler.py")


def link_out(path: Path) -> None:
    outside = write(path.parents[2], "outside/module.py", "X = 1\n")
    path.symlink_to(outside)


def link_to_directory(path: Path) -> None:
    path.symlink_to(write(path.parents[1], "shared/module.py", "X = 1\n").parent)


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def link_to_parent(path: Path) -> None:
    path.symlink_to("..")


def link_to_nothing(path: Path) -> None:
    path.symlink_to("missing.py")


@pytest.mark.parametrize(
    "make",
    [link_to_file, link_out, link_to_directory, link_to_itself, link_to_parent, link_to_nothing],
)
def test_a_link_is_refused_with_what_it_points_to(
    project: Path, make: Callable[[Path], None]
) -> None:
    path = project / "service" / "linked.py"
    make(path)
    text = refusal(project)
    assert text.startswith(f"service/linked.py is a link to '{path.readlink()}'")
    assert "put a copy" in text


def test_a_link_that_is_hidden_is_left_out_like_any_hidden_file(project: Path) -> None:
    (project / "service" / ".#handler.py").symlink_to("someone@host.1234:1700000000")
    assert len(code_tree(project).entries) == 2


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(path.parent)  # the address of a socket is short
        try:
            server.bind(path.name)
        finally:
            os.chdir(before)


@pytest.mark.parametrize("make", [os.mkfifo, bind], ids=["pipe", "socket"])
def test_a_special_file_is_refused(project: Path, make: Callable[[Path], None]) -> None:
    make(project / "service" / "events")
    assert refusal(project).startswith("service/events is neither a file nor a directory")


def test_a_file_or_directory_that_cannot_be_read_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, "service/data/table.json", "{}")
    for name in ("service/data/table.json", "service/data"):
        # The superuser may read everything, so the system call is replaced.
        monkeypatch.setattr(os, "access", lambda path, _, name=name: not str(path).endswith(name))
        assert refusal(project).startswith(f"{name} cannot be read")


@pytest.mark.parametrize(
    ("name", "shown", "reason"),
    [
        (b"caf\xe9.py", "'service/caf\\udce9.py'", "not UTF-8"),
        (b"two\nlines.py", "'service/two\\nlines.py'", "control character"),
        (b"a" * 230 + b".py", "service/aaa", "too long"),
    ],
)
def test_a_name_that_the_zip_or_its_bytecode_cannot_have_is_refused(
    project: Path, name: bytes, shown: str, reason: str
) -> None:
    try:
        Path(os.fsdecode(os.fsencode(project / "service") + b"/" + name)).touch()
    except OSError as error:
        pytest.skip(f"this file system has no such name: {error}")
    text = refusal(project)
    assert text.startswith(shown)
    assert reason in text


def test_a_path_that_is_too_long_is_refused(project: Path) -> None:
    write(project, "service/" + f"{'d' * 150}/" * 7 + "module.py", "")
    assert "is too long" in refusal(project)


@pytest.mark.parametrize(
    "pair", [("models.py", "Models.py"), ("data/x", "DATA/y"), ("u\u0308.py", "\u00fc.py")]
)
def test_names_that_are_one_where_case_is_ignored_are_refused(
    project: Path, pair: tuple[str, str]
) -> None:
    for name in pair:
        write(project, f"service/{name}", "")
    if len(list((project / "service").iterdir())) < 4:
        pytest.skip("on this file system they are one file")
    assert "are one file where upper and lower case are the same" in refusal(project)


@pytest.mark.parametrize("seconds", [0, -1, -(10**9), 4_300_000_000])
def test_a_modification_time_that_zips_cannot_have_changes_nothing(
    project: Path, seconds: int
) -> None:
    before = build(project, HOST)
    os.utime(project / "service" / "handler.py", (seconds, seconds))
    (project / before.code).unlink()
    assert build(project, HOST).report.code.sha256 == before.report.code.sha256


def test_tests_of_the_service_are_left_out_but_for_what_a_module_that_stays_imports(
    project: Path,
) -> None:
    write(project, "service/queries/__init__.py", "")
    write(
        project, "service/queries/one.py", "def f():\n    from service.queries.tests import data\n"
    )
    write(project, "service/queries/tests/__init__.py", "")
    write(project, "service/queries/tests/data.py", "from .rows import ROWS\n")
    write(project, "service/queries/tests/rows.py", "ROWS = 1\n")
    write(project, "service/queries/tests/test_one.py", "import pytest\n")
    write(project, "service/tests/test_handler.py", "import pytest\n")
    assert {entry.name for entry in code_tree(project).entries if "tests" in entry.name} == {
        f"service/queries/tests/{name}.py" for name in ("__init__", "data", "rows")
    }
