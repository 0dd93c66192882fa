"""Builder: from lock and service to two proven zips, doing only what has changed."""

import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bundle import archive, exclusions, file_tree, packing, smoke_test, uv
from bundle.bytecode import CODE_ROOT, LAYER_ROOT, compiled
from bundle.cache import Built, State, digest, stat_of, write_atomically
from bundle.file_tree import Tree
from bundle.interpreter import Interpreter, find_interpreter, serves, this_interpreter
from bundle.limits import Limits, check_sizes
from bundle.size_report import Report
from bundle.target import Target
from common.errors import UserError

LOCK = Path("requirements", "service.txt")
_OWN = Path(__file__).parent


@dataclass
class Builder:
    """One build of one target; the caller holds the lock.

    root: of the project. home: of the target's zips. limits: of Lambda.
    """

    root: Path
    home: Path
    target: Target
    bytecode: bool
    limits: Limits
    progress: Callable[[str], None]

    def __post_init__(self) -> None:
        self.state = State.load(self.home / "state.json")
        self.scratch = self.home / "scratch"
        self.layer, self.code = self.home / "layer.zip", self.home / "code.zip"
        self.report_file = self.home / "report.json"

    def build(self) -> Report:
        """Bring both zips up to date. Raises `UserError` when the bundle is refused; the code that was proven before stays."""
        compiler = self._interpreter() if self.bytecode else None
        code = file_tree.code_tree(self.root)
        layer_key, code_key = self._keys(compiler, code)
        built_layer = _kept(self.state.layer, layer_key, self.layer)
        built_code = _kept(self.state.code, code_key, self.code)
        proof = self._proof(built_layer, built_code) if built_layer and built_code else None
        if built_layer and built_code and proof and self.report_file.exists():
            self._save()
            return self._report(compiler, built_layer, built_code, proof)
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        try:
            return self._build(compiler, built_layer, layer_key, code, code_key)
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _build(
        self,
        compiler: Interpreter | None,
        layer: Built | None,
        layer_key: str,
        code: Tree,
        code_key: str,
    ) -> Report:
        interpreter = compiler or self._any_interpreter()
        made = self._build_code(compiler, code, code_key)
        contents: Future[Tree] | None = None
        packed: Future[Built] | None = None
        with ThreadPoolExecutor(1) as beside:
            if layer is None:
                self.progress(
                    f"building the layer for {self.target.platform}, Python {self.target.python}"
                )
                contents = beside.submit(
                    self._layer_tree, self.target, compiler, self.scratch / "layer"
                )
                packed = beside.submit(self._pack_layer, contents, layer_key)
            try:
                sentence = self._boot(
                    interpreter, self._twin(compiler, interpreter, layer_key, contents)
                )
            except UserError:
                if packed:
                    packed.result()  # what is wrong with the layer itself comes first
                raise
            layer = packed.result() if packed else layer
        assert layer is not None
        check_sizes(layer.part, made.part, self.limits)
        (self.scratch / "code.zip").replace(self.code)
        made.status = stat_of(self.code)
        report = self._report(compiler, layer, made, sentence)
        write_atomically(self.report_file, report.as_json())
        self.state.code, self.state.proof = made, (self._proof_key(layer, made), sentence)
        self._save()
        return report

    def _pack_layer(self, contents: Future[Tree], key: str) -> Built:
        path = self.scratch / "layer.zip"
        part = packing.write_archive(contents.result(), self.target, path)
        check_sizes(part, None, self.limits)
        path.replace(self.layer)
        self.state.layer = Built(key, part, stat_of(self.layer))
        self._save()
        return self.state.layer

    def _build_code(self, compiler: Interpreter | None, code: Tree, key: str) -> Built:
        entries = [*code.entries]
        if compiler:
            sources = [entry for entry in entries if entry.name.endswith(".py")]
            made = compiled(
                sources, compiler, self.scratch / "code-bytecode", CODE_ROOT
            )  # all, which checks their syntax
            wanted = [
                extra
                for entry, extra in zip(sources, made, strict=True)
                if exclusions.has_bytecode(entry.name, entry.package)
            ]
            entries += packing.affordable(wanted, entries, exclusions.CODE_BUDGET)
        path = self.scratch / "code.zip"
        part = packing.write_archive(file_tree.ordered(entries), self.target, path)
        return Built(key, part, stat_of(path))

    def _layer_tree(self, target: Target, compiler: Interpreter | None, scratch: Path) -> Tree:
        scratch.mkdir()
        uv.install(self.root / LOCK, target, scratch / "site")
        installed = file_tree.layer_tree(scratch / "site")
        entries = [*installed.entries]
        if compiler:
            sources = [
                entry for entry in entries if exclusions.has_bytecode(entry.name, entry.package)
            ]
            entries += compiled(sources, compiler, scratch / "bytecode", LAYER_ROOT)
        return file_tree.ordered(entries, installed.versions)

    def _twin(
        self,
        compiler: Interpreter | None,
        interpreter: Interpreter,
        layer_key: str,
        contents: Future[Tree] | None,
    ) -> Path:
        """The layer for this machine, unpacked: the layer itself where it runs here, else made of the same lock by the same rules."""
        target = _twin_target(interpreter)
        home = self.home / f"twin-{digest([layer_key, target.name])[:16]}"
        if home.exists():
            return home
        made = self.scratch / "twin"
        if target != self.target:
            packing.lay_out(
                made, self._layer_tree(target, compiler, self.scratch / "twin-layer"), target
            )
        elif contents:
            packing.lay_out(made, contents.result(), target)
        else:
            packing.unpack(self.layer, made)
        made.replace(home)
        for other in self.home.glob("twin-*"):
            if other != home:
                shutil.rmtree(other, ignore_errors=True)
        return home

    def _boot(self, interpreter: Interpreter, twin_home: Path) -> str:
        unpacked = self.scratch / "code"
        packing.unpack(self.scratch / "code.zip", unpacked)
        self.progress(f"booting the bundle with CPython {interpreter.version}, without a network")
        seconds = smoke_test.boot(interpreter, unpacked, twin_home / "python")
        where = _twin_target(interpreter)
        itself = (
            "booted itself" if where == self.target else f"booted its twin for {where.platform}"
        )
        return f"{itself} with CPython {interpreter.version}, without a network: GET / answered 200 after {seconds:.2f} s"

    def _proof(self, layer: Built, code: Built) -> str | None:
        """The sentence on what booted, if it was these very two."""
        return (
            self.state.proof[1]
            if self.state.proof and self.state.proof[0] == self._proof_key(layer, code)
            else None
        )

    def _proof_key(self, layer: Built, code: Built) -> str:
        return digest(
            [layer.key, layer.part.sha256, code.key, code.part.sha256, Target.host().platform]
        )

    def _keys(self, compiler: Interpreter | None, code: Tree) -> tuple[str, str]:
        """Keys of layer and code: the files, and everything else that shows in the bytes, this package included."""
        lock = self.root / LOCK
        if not lock.is_file():
            raise UserError(
                f"{lock} is missing: `make lock` writes it from requirements/service.in"
            )
        digests = self.state.digests
        own = digests.of_all((path.name, path) for path in sorted(_OWN.glob("*.py")))
        shared = [own, archive.COMPRESSOR, self.target.name, compiler.version if compiler else None]
        return digest([shared, digests.of(lock)]), digest(
            [shared, digests.of_all((e.name, e.source) for e in code.entries)]
        )

    def _interpreter(self) -> Interpreter:
        """Of the target's minor version; the one that was found before while its file is the same."""
        if not serves(self.target.python) and self.state.interpreter:
            known, status = self.state.interpreter
            with suppress(OSError):
                if known.minor == self.target.python and stat_of(Path(known.path)) == status:
                    return known
        found = find_interpreter(self.target.python)
        self.state.interpreter = (found, stat_of(Path(found.path)))
        return found

    def _any_interpreter(self) -> Interpreter:
        try:
            return self._interpreter()
        except UserError:
            return this_interpreter()

    def _report(
        self, compiler: Interpreter | None, layer: Built, code: Built, proof: str
    ) -> Report:
        return Report(
            target=self.target.platform,
            python=self.target.python,
            bytecode=compiler.version if compiler else None,
            layer=layer.part,
            code=code.part,
            twin=proof,
        )

    def _save(self) -> None:
        self.state.save(self.home / "state.json")


def _kept(built: Built | None, key: str, path: Path) -> Built | None:
    return built if built and built.key == key and built.is_at(path) else None


def _twin_target(interpreter: Interpreter) -> Target:
    host = Target.host()
    return Target(architecture=host.architecture, system=host.system, python=interpreter.minor)
