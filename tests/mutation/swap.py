"""Put a mutant in the place of what it breaks, in this process alone: the work tree is never touched."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from tests.mutation.operators import Mutant

PACKAGE = "wgfo.engine"


def folder() -> Path:
    """Return where the engine's modules are; imports none of them."""
    spec = find_spec(PACKAGE.partition(".")[0])
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / PACKAGE.partition(".")[2]


def into_function(mutant: Mutant) -> None:
    """Give a function that is imported already the code of the mutant: whoever imported it calls that."""
    module = importlib.import_module(f"{PACKAGE}.{mutant.module}")
    broken = compile(mutant.source, str(module.__file__), "exec")
    code = next(code for code in _codes(broken) if code.co_qualname == mutant.place)
    _function(module, mutant.place).__code__ = code


def _codes(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _codes(inner)


def _function(module: ModuleType, place: str) -> FunctionType:
    found: object = module
    for name in place.split("."):
        found = vars(found)[name]
    found = found.fget if isinstance(found, property) else found
    assert isinstance(found, FunctionType), place
    return found


class OnImport(MetaPathFinder):
    """Hands out the mutant when its module is imported: for constants and tables, which others copy then."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        assert not any(name.startswith(PACKAGE) for name in sys.modules), "imported too early"

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for the mutant's module alone."""
        if fullname != f"{PACKAGE}.{self.mutant.module}":
            return None
        file = str(folder() / f"{self.mutant.module}.py")
        return spec_from_file_location(fullname, file, loader=_Loader(fullname, file, self.mutant.source))


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, source: bytes) -> None:
        super().__init__(fullname, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec")
