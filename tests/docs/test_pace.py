"""No test depends on its pace: what is made while tests are collected does not hold the time of that moment."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
CLOCKS = {"time", "now", "utcnow", "today", "monotonic", "time_ns", "real"}


def test_nothing_asks_a_clock_while_tests_are_collected() -> None:
    asked = [
        f"{path.relative_to(TESTS)}:{call.lineno}: {ast.unparse(call)}"
        for path in sorted(TESTS.rglob("*.py"))
        if "node_modules" not in path.parts
        for call in _calls_at_import(ast.parse(path.read_text("utf-8")).body)
        if _name(call) in CLOCKS
    ]

    assert asked == []


def test_calls_at_import_are_seen() -> None:
    source = "START = time.time()\n@mark(now())\ndef test(at=today()): later = now()\nclass A:\n    x = lambda: now()\n"

    assert [_name(call) for call in _calls_at_import(ast.parse(source).body)] == ["time", "mark", "now", "today"]


def _calls_at_import(body: list[ast.stmt]) -> Iterator[ast.Call]:
    """Calls of module level, of class bodies, decorators and default values; not those inside functions."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            defaults = [*statement.args.defaults, *filter(None, statement.args.kw_defaults)]
            for part in (*statement.decorator_list, *defaults):
                yield from _calls(part)
        elif isinstance(statement, ast.ClassDef):
            for decorator in statement.decorator_list:
                yield from _calls(decorator)
            yield from _calls_at_import(statement.body)
        elif not (isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'"):
            yield from _calls(statement)


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.Call):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
