"""docs/limits.md and docs/security.md: each line has its test, and the figures are those in the code."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROOF = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows(page: str) -> list[list[str]]:
    """The cells of each line of the page's tables, without heads."""
    lines = (ROOT / "docs" / page).read_text("utf-8").splitlines()
    tables = [line for line in lines if line.startswith("| ") and not line.startswith(("| what |", "| who |", "|---"))]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in tables]


@cache
def proofs_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("page", ["limits.md", "security.md"])
def test_each_line_has_a_test_that_is_there(page):
    table = rows(page)
    assert len(table) > 15
    without = [cells[0] for cells in table if not PROOF.search(cells[-1])]
    assert without == []
    text = (ROOT / "docs" / page).read_text("utf-8")
    assert [proof for file, proof in PROOF.findall(text) if proof not in proofs_in(file)] == []


def test_the_figures_are_those_in_the_code():
    for what, bound, place, _ in rows("limits.md"):
        module, _, name = place.strip("`").rpartition(".")
        value = getattr(importlib.import_module(f"sts_emulator.{module}"), name)
        assert f"{value:,}" in bound, f"{what}: {value:,}"
