"""No file of the package is over 300 lines and no function over 40, unless its docstring says why.

Such a reason is a line that begins with "Long because". A function's docstring does not count as its length: shapes, units
and errors that are written down make no function longer.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "grasp_pose_net").rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 300, 40

Node = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef


def has_reason(node: Node) -> bool:
    return any(line.startswith("Long because") for line in (ast.get_docstring(node) or "").splitlines())


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    first = function.body[0]
    text = first.end_lineno - first.lineno + 1 if ast.get_docstring(function) is not None else 0
    return function.end_lineno - function.lineno + 1 - text


def too_long(text: str) -> list[str]:
    tree = ast.parse(text)
    lines = len(text.splitlines())
    found = [f"{lines} lines"] if lines > FILE_LINES and not has_reason(tree) else []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > FUNCTION_LINES:
            found += [] if has_reason(node) else [f"{node.name}: {length(node)} lines"]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_is_short_or_says_why_not(file: Path) -> None:
    assert too_long(file.read_text()) == []


def test_what_is_long_is_found() -> None:
    body = "    x = 1\n" * 40
    assert too_long(f'def f():\n    """Words."""\n{body}') == ["f: 41 lines"]
    assert too_long(f'def f():\n    """Words.\n\n    Long because.\n    """\n{body}') == []
    assert too_long("x = 1\n" * 301) == ["301 lines"]
    assert too_long('"""Words.\n\nLong because."""\n' + "x = 1\n" * 301) == []
