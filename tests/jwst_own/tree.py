"""A copy of the tests of an installed `jwst` that can be collected whatever of `jwst` is there.

Each import from its packages stands alone: one that fails leaves something in the name's place that raises
the same error when it is used; what is made with that when the file is read (a table of cases, say) is left
out. So a file's other tests still run. Nothing else is changed.
"""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

from surface import ROOTS

_ABSENT = """
class _Absent:
    def __init__(self, error):
        self.__dict__["error"] = error

    def __getattr__(self, name):
        raise ImportError(self.__dict__["error"])

    def __call__(self, *args, **kwargs):
        raise ImportError(self.__dict__["error"])

    def __mro_entries__(self, bases):
        raise ImportError(self.__dict__["error"])

    def __iter__(self):
        raise ImportError(self.__dict__["error"])

"""


def copy_tests(root: Path, target: Path, files: set[str]) -> None:
    """Copy test files of the package, with what lies beside them (helpers, data, fixtures).

    Parameters
    ----------
    root : Path
        The installed package.
    target : Path
        Folder that is made.
    files : set of str
        Test files below `root` that are wanted, with those that they import from; others are left out.
    """
    files = _with_imported(root, files)
    for folder in sorted({path.parent for path in root.glob("**/tests/*.py")}):
        below = folder.relative_to(root)
        shutil.copytree(
            folder, target / below, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
        )
    for conftest in root.glob("**/conftest.py"):
        if "regtest" not in conftest.parts:
            shutil.copy(conftest, target / conftest.relative_to(root))
    for path in target.rglob("*.py"):
        name = str(path.relative_to(target))
        if path.name.startswith("test_") and name not in files:
            path.unlink()
        elif path.name == "__init__.py":
            path.unlink()  # pytest would take the folders for packages called "tests"
        elif "data" not in path.parts:
            path.write_text(guarded(path.read_text()))


def _with_imported(root: Path, files: set[str]) -> set[str]:
    """Return test files and those that they import from, and these in turn."""
    found, todo = set(files), list(files)
    while todo:
        text = (root / todo.pop()).read_text()
        for dotted in re.findall(r"jwst\.([\w.]+\.tests\.test_\w+)", text):
            name = dotted.replace(".", "/") + ".py"
            if name not in found and (root / name).is_file():
                found.add(name)
                todo.append(name)
    return found


def guarded(source: str) -> str:
    """Return code in which each statement at the top that uses the packages stands alone, and may fail."""
    tree = ast.parse(source)
    tree.body = [new for node in tree.body for new in _guarded(node)]
    code = ast.unparse(ast.fix_missing_locations(tree))
    first = 0
    if ast.get_docstring(tree) is not None:
        first = 1
    while first < len(tree.body) and _is_future(tree.body[first]):
        first += 1
    head = ast.unparse(ast.Module(tree.body[:first], []))
    return f"{head}\n{_ABSENT}\n{ast.unparse(ast.Module(tree.body[first:], []))}\n" if code else source


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _droppable(node: ast.stmt) -> ast.stmt:
    """Return a statement that is left out if it uses what is not there; a docstring stays one."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return node
    handler = ast.ExceptHandler(ast.Name("ImportError", ast.Load()), None, [ast.Pass()])
    return ast.Try([node], [handler], [], [])


def _guarded(node: ast.stmt) -> list[ast.stmt]:
    if isinstance(node, ast.Import):
        mine = [alias for alias in node.names if alias.name.partition(".")[0] in ROOTS]
    elif isinstance(node, ast.ImportFrom) and node.module:
        mine = node.names if node.module.partition(".")[0] in ROOTS else []
    else:
        mine = []
    if not mine:
        return [node] if isinstance(node, (ast.Import, ast.ImportFrom)) else [_droppable(node)]
    made: list[ast.stmt] = []
    for alias in node.names:
        single = ast.unparse(
            ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], 0)
        )
        name = alias.asname or alias.name.partition(".")[0]
        made += ast.parse(
            f"try:\n    {single}\nexcept ImportError as _error:\n    {name} = _Absent(str(_error))"
        ).body
    return made
