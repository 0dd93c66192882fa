"""Builds a target's two zips from the lock and `service/`, and rebuilds only what has changed."""

import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bundle import archive, exclusions, file_tree, packing, smoke_test, uv
from bundle.bytecode import CODE_ROOT, LAYER_ROOT, compile_entries
from bundle.cache import BuiltZip, State, digest, exclusive, status_of, write_atomically
from bundle.file_tree import Tree
from bundle.interpreter import (
    Interpreter,
    find_interpreter,
    is_this_interpreter,
    this_interpreter,
)
from bundle.limits import Limits, check_sizes
from bundle.service_files import refuse_keys
from bundle.size_report import Report
from bundle.target import BUNDLES, Target
from common.errors import UserError

LOCK = Path("requirements", "service.txt")
_OWN_SOURCE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Two zips, as paths relative to the project's root that stay the same from build to build.

    version: 12 hex digits of the hash of both.
    """

    layer: Path
    code: Path
    version: str
    report: Report


def _ignore(_: str) -> None:
    """Drop a progress message."""


def build(
    root: Path,
    target: Target,
    *,
    bytecode: bool = True,
    limits: Limits | None = None,
    progress: Callable[[str], None] = _ignore,
) -> Bundle:
    """Bring the target's bundle up to date and verify it; without a change this reads files only.

    root: the project, with `service/` and `requirements/service.txt`. bytecode: compile the modules
    that requests import, with an interpreter of the target's minor version. progress: is called
    with a sentence before each step.
    The same input gives the same bytes on every machine, for the same patch release of that
    interpreter. Raises `UserError` when the bundle cannot be built, or when Lambda would refuse it
    or fail with it.
    """
    with exclusive(
        root / BUNDLES / "lock", lambda: progress("waiting for another build of this checkout")
    ):
        report = Builder(root, target, bytecode, limits or Limits(), progress).build()
    hashes = f"{report.layer.sha256} {report.code.sha256}"
    return Bundle(
        layer=target.directory / "layer.zip",
        code=target.directory / "code.zip",
        version=hashlib.sha256(hashes.encode()).hexdigest()[:12],
        report=report,
    )


@dataclass
class Builder:
    """One build of one target. The caller holds the lock of `.local/bundle`."""

    root: Path
    target: Target
    bytecode: bool
    limits: Limits
    progress: Callable[[str], None]

    def __post_init__(self) -> None:
        self.home = self.root / self.target.directory
        self.state = State.load(self.home / "state.json")
        self.scratch = self.home / "scratch"
        self.layer, self.code = self.home / "layer.zip", self.home / "code.zip"
        self.report_file = self.home / "report.json"

    def build(self) -> Report:
        """Bring both zips up to date.

        Raises `UserError` when the bundle is refused; the code zip of the last good build stays.
        """
        compiler = self._find_compiler() if self.bytecode else None
        code = file_tree.code_tree(self.root)
        layer_key, code_key = self._keys(compiler, code)
        layer = _if_current(self.state.layer, layer_key, self.layer)
        built_code = _if_current(self.state.code, code_key, self.code)
        if layer and built_code and self.report_file.exists():
            verified = self._verified(layer, built_code)
            if verified:
                self._save()
                return self._report(compiler, layer, built_code, verified)
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        try:
            return self._build(compiler, layer, layer_key, code, code_key)
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _build(
        self,
        compiler: Interpreter | None,
        layer: BuiltZip | None,
        layer_key: str,
        code: Tree,
        code_key: str,
    ) -> Report:
        # The code comes first: it is built within a second, and a syntax error in it should not
        # wait for the layer. The smoke test unpacks it, so it is built even when it is current.
        interpreter = compiler or self._find_any_interpreter()
        built_code = self._build_code(compiler, code, code_key)
        layer_files: Future[Tree] | None = None
        packed: Future[BuiltZip] | None = None
        # One thread installs and packs the layer. This thread needs the installed files only, so
        # the smoke test runs while the layer is compressed, which takes about as long.
        with ThreadPoolExecutor(1) as background:
            if layer is None:
                self.progress(
                    f"building the layer for {self.target.platform}, Python {self.target.python}"
                )
                layer_files = background.submit(
                    self._install_layer, self.target, compiler, self.scratch / "layer"
                )
                packed = background.submit(self._pack_layer, layer_files, layer_key)
            try:
                host_layer = self._host_layer(interpreter, layer_key, layer_files)
                verified = self._run_smoke_test(interpreter, host_layer)
            except UserError:
                if packed:
                    packed.result()  # raises the layer's own error, which is the better message
                raise
            layer = packed.result() if packed else layer
        assert layer is not None
        check_sizes(layer.part, built_code.part, self.limits)
        # From here on the build has succeeded. A crash between these writes leaves a state that
        # fits neither zip, so that the next build starts again.
        (self.scratch / "code.zip").replace(self.code)
        built_code.status = status_of(self.code)
        report = self._report(compiler, layer, built_code, verified)
        write_atomically(self.report_file, report.as_json())
        self.state.code = built_code
        self.state.smoke_test = (self._smoke_test_key(layer, built_code), verified)
        self._save()
        return report

    def _pack_layer(self, files: Future[Tree], key: str) -> BuiltZip:
        """Write the layer zip. It stays if the smoke test fails: usually the code is the cause."""
        path = self.scratch / "layer.zip"
        part = packing.write_archive(files.result(), self.target, path)
        check_sizes(part, None, self.limits)
        path.replace(self.layer)
        self.state.layer = BuiltZip(key, part, status_of(self.layer))
        self._save()
        return self.state.layer

    def _build_code(self, compiler: Interpreter | None, code: Tree, key: str) -> BuiltZip:
        entries = [*code.entries]
        refuse_keys((entry.name, entry.source.read_bytes()) for entry in entries)
        if compiler:
            sources = [entry for entry in entries if entry.name.endswith(".py")]
            # All files are compiled, which checks their syntax; what fits is packed.
            compiled = compile_entries(sources, compiler, self.scratch / "code-bytecode", CODE_ROOT)
            entries += packing.fit_into_budget(compiled, entries, exclusions.CODE_BUDGET)
        path = self.scratch / "code.zip"
        part = packing.write_archive(file_tree.sorted_tree(entries), self.target, path)
        return BuiltZip(key, part, status_of(path))

    def _install_layer(self, target: Target, compiler: Interpreter | None, scratch: Path) -> Tree:
        scratch.mkdir()
        uv.install(self.root / LOCK, target, scratch / "site")
        installed = file_tree.layer_tree(scratch / "site")
        entries = [*installed.entries]
        if compiler:
            sources = [
                entry
                for entry in entries
                if exclusions.has_bytecode(entry.name.removeprefix("python/"))
            ]
            entries += compile_entries(sources, compiler, scratch / "bytecode", LAYER_ROOT)
        return file_tree.sorted_tree(entries, installed.versions)

    def _host_layer(
        self, interpreter: Interpreter, layer_key: str, layer_files: Future[Tree] | None
    ) -> Path:
        """Return the directory of an unpacked layer that runs on this machine.

        It holds the layer's own files where the target is this platform and Python. Otherwise it is
        a host build: the same lock, installed for this platform by the same rules, but without
        bytecode, which takes longer to compile than it saves for one start.
        """
        target = _host_target(interpreter)
        directory = self.home / f"host-layer-{digest([layer_key, target.name])[:16]}"
        if directory.exists():
            return directory
        unpacked = self.scratch / "host-layer"
        if target != self.target:
            scratch = self.scratch / "host-layer-files"
            packing.write_directory(unpacked, self._install_layer(target, None, scratch), target)
        elif layer_files:
            packing.write_directory(unpacked, layer_files.result(), target)
        else:
            packing.unpack(self.layer, unpacked)
        unpacked.replace(directory)
        # Remove the layers of earlier builds, also those that an earlier version named otherwise.
        for other in self.home.iterdir():
            if other.is_dir() and other not in (directory, self.scratch):
                shutil.rmtree(other, ignore_errors=True)
        return directory

    def _run_smoke_test(self, interpreter: Interpreter, host_layer: Path) -> str:
        """Start the new code zip on the host layer. Returns a sentence for the report."""
        unpacked = self.scratch / "code"
        packing.unpack(self.scratch / "code.zip", unpacked)
        self.progress(
            f"running the smoke test with CPython {interpreter.version}, without a network"
        )
        seconds = smoke_test.run(interpreter, unpacked, host_layer / "python")
        host = _host_target(interpreter)
        what = "the bundle itself" if host == self.target else f"a host build for {host.platform}"
        return (
            f"{what} with CPython {interpreter.version}, without a network: "
            f"GET / returned 200 after {seconds:.2f} s"
        )

    def _verified(self, layer: BuiltZip, code: BuiltZip) -> str | None:
        """Return the sentence on the last smoke test if it was of exactly these two zips."""
        if not self.state.smoke_test:
            return None
        key, sentence = self.state.smoke_test
        return sentence if key == self._smoke_test_key(layer, code) else None

    def _smoke_test_key(self, layer: BuiltZip, code: BuiltZip) -> str:
        return digest(
            [layer.key, layer.part.sha256, code.key, code.part.sha256, Target.host().platform]
        )

    def _keys(self, compiler: Interpreter | None, code: Tree) -> tuple[str, str]:
        """Return the cache keys of layer and code: hashes of everything that decides their bytes.

        That is the lock or the files of `service/`, the target, the patch release of the compiler,
        the version of the compressor, and the source of this package, which holds the rules.
        """
        lock = self.root / LOCK
        if not lock.is_file():
            raise UserError(
                f"{lock} is missing: `make lock` writes it from requirements/service.in"
            )
        digests = self.state.digests
        own = digests.of_all((path.name, path) for path in sorted(_OWN_SOURCE.glob("[!.]*.py")))
        shared = [own, archive.COMPRESSOR, self.target.name, compiler.version if compiler else None]
        return digest([shared, digests.of(lock)]), digest(
            [shared, digests.of_all((e.name, e.source) for e in code.entries)]
        )

    def _find_compiler(self) -> Interpreter:
        """Return an interpreter of the target's minor version.

        The search starts several processes, so its result is reused while the file is unchanged.
        """
        if not is_this_interpreter(self.target.python) and self.state.interpreter:
            known, status = self.state.interpreter
            with suppress(OSError):
                if known.minor == self.target.python and status_of(Path(known.path)) == status:
                    return known
        found = find_interpreter(self.target.python)
        self.state.interpreter = (found, status_of(Path(found.path)))
        return found

    def _find_any_interpreter(self) -> Interpreter:
        try:
            return self._find_compiler()
        except UserError:
            return this_interpreter()

    def _report(
        self, compiler: Interpreter | None, layer: BuiltZip, code: BuiltZip, verified: str
    ) -> Report:
        return Report(
            target=self.target.platform,
            python=self.target.python,
            bytecode=compiler.version if compiler else None,
            layer=layer.part,
            code=code.part,
            smoke_test=verified,
        )

    def _save(self) -> None:
        self.state.save(self.home / "state.json")


def _if_current(built: BuiltZip | None, key: str, path: Path) -> BuiltZip | None:
    return built if built and built.key == key and built.is_at(path) else None


def _host_target(interpreter: Interpreter) -> Target:
    host = Target.host()
    return Target(architecture=host.architecture, system=host.system, python=interpreter.minor)
