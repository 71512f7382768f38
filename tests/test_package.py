"""The package as a whole: what importing it does and offers, and that no module imports from a room above its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hybridnb

PACKAGE = Path(hybridnb.__file__).parent
ROOMS = (
    *("files", "places", "registry", "progress", "process", "cores", "settings"),  # the floor
    *("corpora", "encoders", "training", "debiasing", "retrieval", "measures", "study", "report"),
    *("notebooks", "terminal", "cli"),
)
MODULES = sorted(
    ".".join(("hybridnb", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)


def imported(module: str, *, types: bool) -> Iterator[str]:
    """The modules of this package that a module imports, wherever in it; types: also what only a type checker does."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    if not types:
        for node in list(ast.walk(tree)):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("hybridnb"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("hybridnb", "tools"):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else str(node.module)


def graph(*, types: bool) -> dict[str, list[str]]:
    return {m: sorted({*imported(m, types=types)} - {"hybridnb"}) for m in MODULES if m != "hybridnb"}


def room(module: str) -> int:
    return ROOMS.index(module.split(".")[1])


def test_nothing_imports_from_a_room_above() -> None:
    upward = [
        f"{module} imports {other}"
        for module, others in graph(types=True).items()
        for other in others
        if other.startswith("tools") or room(other) > room(module)
    ]
    assert upward == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    imports = graph(types=False)
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join((*above[above.index(module) :], module))
        if module not in done:
            for other in imports[module]:
                visit(other, (*above, module))
            done.add(module)

    for module in imports:
        visit(module, ())


def test_importing_it_changes_and_loads_nothing() -> None:
    code = """
import os, sys, warnings
before = dict(os.environ), list(warnings.filters)
import hybridnb
assert (dict(os.environ), list(warnings.filters)) == before
print([name for name in sys.modules if name.split(".")[0] in ("torch", "numpy", "pandas", "transformers")])
print(sorted(hybridnb.__all__) == hybridnb.__all__, set(hybridnb.__all__) <= set(dir(hybridnb)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.splitlines() == ["[]", "True True"]


@pytest.mark.parametrize("name", hybridnb.__all__)
def test_each_name_is_there_and_has_a_line_of_documentation(name: str) -> None:
    assert getattr(hybridnb, name).__doc__
    line = rf"    {name} "
    assert any(text.startswith(line) for text in str(hybridnb.__doc__).splitlines())


def test_another_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Startegy'"):
        hybridnb.Startegy  # noqa: B018
