"""The page about the engine is run, and its table of lint rules is the one that the rules make."""

from __future__ import annotations

import re
from pathlib import Path

from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.linting.lint import RULES

PAGE = Path(__file__).parents[2] / "docs" / "policy-engine.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def lint_table() -> str:
    rows = [f"| `{rule.id}` | {rule.severity} | {rule.title} |" for rule in RULES]
    return "\n".join(["| rule | severity | what it says |", "|---|---|---|", *rows]) + "\n"


def test_the_example_runs_and_prints_what_the_page_shows():
    (example,), (shown,) = blocks("python"), blocks("text")
    names: dict = {}

    exec(compile(example, str(PAGE), "exec"), names)

    assert names["told"].to_text() == shown.rstrip("\n")
    assert names["trust"] is parse(names["trust"].text)


def test_the_table_of_lint_rules_is_complete():
    assert PAGE.read_text("utf-8").endswith(lint_table())
