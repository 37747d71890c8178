"""Which of the tests of `jwst` touch its public surface only: a rule, read off their source.

Public are: steps, by their package and the module ``…_step``; pipelines; data models and their flags;
associations and their rules; `Step` and `Pipeline` of `jwst.stpipe` and `stpipe`; the classes of warnings.
A test is of the surface if whatever it names of `jwst`, `stdatamodels`, `stpipe` and `stcal` is public: in
its body, its parameters, its fixtures, the functions and constants of its file or of helpers that it uses.
Attributes that begin with an underscore, and texts that name a module of `jwst` (what is patched, or whose
log is watched), count as names, too, and so does what a file of code that a test names imports (rules of
associations, which are written in terms of the generator's insides).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

ROOTS = ("jwst", "stdatamodels", "stpipe", "stcal")
_MODULES = re.compile(
    r"jwst(\.step|\.stpipe|\.datamodels|\.associations(\.lib(\.rules_\w+)?|\.asn_from_list|\.exceptions)?)?"
    r"|jwst\.pipeline(\.calwebb_\w+(\.\w+_step)?)?"
    r"|jwst\.(?!lib|associations|datamodels|regtest|tests|stpipe|pipeline)\w+(\.\w+_step)?"
    r"|jwst\.datamodels\.(container|library|dqflags)"
    r"|stdatamodels\.jwst\.datamodels(\.[a-z]\w*)?|stcal\.dqflags"
    r"|stdatamodels(\.jwst|\.exceptions)?|stpipe|stcal"
)
#: A library of its own, of which webbcal takes nothing away.
_OTHERS = re.compile(r"stdatamodels\.jwst\.transforms(\..*)?")
#: What is public in a public module: classes, and these functions and tables.
_NAMES = re.compile(
    r"[A-Z]\w*|open|read_metadata|load_asn|asn_from_list|pixel|group|interpret_bit_flags|dqflags_to_mnemonics"
    r"|query_step_status|record_step_status|generate|__version__"
)


def is_public(name: str) -> bool:
    """Tell whether a dotted name is public: a module, a name in one, or an attribute of that."""
    if _MODULES.fullmatch(name) or _OTHERS.fullmatch(name):
        return True
    parts = name.split(".")
    for cut in range(1, len(parts)):
        if _NAMES.fullmatch(parts[cut]):
            return _MODULES.fullmatch(".".join(parts[:cut])) is not None and "._" not in name
    return False


@dataclass
class Source:
    """A file: what it imports, and what it defines at its top.

    Attributes
    ----------
    imports : dict
        Name in the file -> dotted name.
    defined : dict
        Name in the file -> statements that define it.
    """

    path: Path
    imports: dict[str, str] = field(default_factory=dict)
    defined: dict[str, list[ast.stmt]] = field(default_factory=dict)

    @cached_property
    def fixtures(self) -> dict[str, str]:
        """Name by which tests ask for a fixture -> name of its function."""
        found = {}
        for name, statements in self.defined.items():
            for node in statements:
                if _is_fixture(node):
                    found[_fixture_name(node) or name] = name
        return found

    @cached_property
    def autouse(self) -> list[str]:
        """Names of the fixtures that all tests get."""
        text = [(name, ast.unparse(node)) for name, nodes in self.defined.items() for node in nodes]
        return [name for name, code in text if re.search(r"fixture\([^)]*autouse=True", code)]


def _is_fixture(node: ast.stmt) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any("fixture" in ast.unparse(decorator) for decorator in decorators)


def _fixture_name(node: ast.stmt) -> str | None:
    for decorator in getattr(node, "decorator_list", []):
        for keyword in getattr(decorator, "keywords", []):
            if keyword.arg == "name":
                return str(ast.literal_eval(keyword.value))
    return None


@cache
def source_of(path: Path) -> Source:
    """Read a file."""
    source = Source(path)
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                source.imports[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                source.imports[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        else:
            for name in _names_defined(node):
                source.defined.setdefault(name, []).append(node)
    return source


def _names_defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name
        return
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id


class Package:
    """The installed `jwst`, as files: nothing of it is imported."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[tuple[str, str], set[str]] = {}

    def tests(self) -> Iterator[tuple[str, str]]:
        """Yield file and name of all tests: functions, and methods as ``Class::method``."""
        for path in sorted(self.root.glob("**/tests/**/test_*.py")):
            if "regtest" in path.parts:
                continue
            for name, nodes in source_of(path).defined.items():
                node = nodes[-1]
                if isinstance(node, ast.FunctionDef) and name.startswith("test"):
                    yield str(path.relative_to(self.root)), name
                elif isinstance(node, ast.ClassDef) and name.startswith("Test"):
                    for inner in node.body:
                        if isinstance(inner, ast.FunctionDef) and inner.name.startswith("test"):
                            yield str(path.relative_to(self.root)), f"{name}::{inner.name}"

    def names_of(self, file: str, test: str) -> set[str]:
        """Return the dotted names that a test uses, directly or by what it is made of."""
        if (file, test) not in self._names:
            self._names[file, test] = self._names_of(file, test)
        return self._names[file, test]

    def _names_of(self, file: str, test: str) -> set[str]:
        path = self.root / file
        seen: set[tuple[Path, str]] = set()
        names: set[str] = set()
        todo = [(path, test.partition("::")[0], test.partition("::")[2])]
        todo += [(p, name, "") for p in self._conftests(path) for name in source_of(p).autouse]
        while todo:
            where, name, method = todo.pop()
            if (where, name) in seen:
                continue
            seen.add((where, name))
            source = source_of(where)
            for node in source.defined.get(name, []):
                for used in _used(node, method):
                    todo += self._followed(source, path, used, names)
        return names

    def _followed(
        self, source: Source, test: Path, used: str, names: set[str]
    ) -> list[tuple[Path, str, str]]:
        """Return what a used name is in turn made of; note it if it is one of the packages'."""
        first, _, rest = used.partition(".")
        if used.startswith("file:"):  # of code that the test has executed: what it imports is used
            code = source.path.parent / used.removeprefix("file:")
            imported = source_of(code).imports.values() if code.is_file() else ()
            names |= {name for name in imported if name.partition(".")[0] in ROOTS}
        elif used.startswith("'"):  # a text
            helper = self._helper(used.strip("'"))
            if helper is not None:
                return [helper]
            if ".tests" not in used:  # where data of tests are
                names.add(used.strip("'"))
        elif first in source.imports:
            dotted = ".".join(filter(None, [source.imports[first], rest]))
            helper = self._helper(dotted)
            if helper is not None:
                return [helper]
            if dotted.partition(".")[0] in ROOTS:
                names.add(dotted)
        elif first in source.defined:
            return [(source.path, first, "")]
        else:
            for path in [source.path, *self._conftests(test)]:
                fixtures = source_of(path).fixtures
                if first in fixtures:
                    return [(path, fixtures[first], "")]
        if re.search(r"\._[a-z]", used) and first not in ("self", "request"):
            names.add(used)
        return []

    def _helper(self, dotted: str) -> tuple[Path, str, str] | None:
        """Return file and name of what is imported from helpers of the tests, if it is."""
        parts = dotted.split(".")
        if parts[0] != "jwst" or "tests" not in parts:
            return None
        for cut in range(len(parts), 1, -1):
            place = self.root.joinpath(*parts[1:cut])
            for path in (place.with_suffix(".py"), place / "__init__.py"):
                if path.is_file() and path.read_text().strip():
                    return path, parts[cut] if cut < len(parts) else "", ""
        return None

    def _conftests(self, path: Path) -> list[Path]:
        """Return the files of fixtures that hold for a test, the test's own first."""
        found = [path]
        for folder in path.parents:
            if (folder / "conftest.py").is_file():
                found.append(folder / "conftest.py")
            if folder == self.root:
                break
        return found


@cache
def _used(node: ast.AST, method: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_uses(node, method)))


def _uses(node: ast.AST, method: str) -> Iterator[str]:
    """Yield the names that code uses: variables with their attributes, arguments, texts of modules."""
    if method and isinstance(node, ast.ClassDef):
        kept = [n for n in node.body if not _is_other(n, method)]
        for part in [*kept, *node.decorator_list, *node.bases]:
            yield from _uses(part, "")
        return
    inner = {id(n.value) for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    for part in ast.walk(node):
        if isinstance(part, (ast.Name, ast.Attribute)) and id(part) not in inner:
            yield ast.unparse(part) if _is_chain(part) else f"?.{_attributes(part)}"
        elif isinstance(part, ast.arg):
            yield part.arg
        elif isinstance(part, (ast.Import, ast.ImportFrom)):
            for alias in part.names:
                module = f"{part.module}." if isinstance(part, ast.ImportFrom) else ""
                if (module or alias.name).partition(".")[0] in ROOTS:
                    yield f"'{module}{alias.name}'"
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            if re.fullmatch(rf"({'|'.join(ROOTS)})(\.\w+)+", part.value):
                yield f"'{part.value}'"
            elif part.value.endswith(".py"):
                yield f"file:{part.value}"
            elif part.value.isidentifier():  # request.getfixturevalue("…"), usefixtures
                yield part.value


def _is_other(node: ast.stmt, method: str) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test") and node.name != method


def _is_chain(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _attributes(node: ast.AST) -> str:
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join(reversed(names))
