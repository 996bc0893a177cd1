"""docs/cognito.md tells every operation of the model, and every parameter that is read and changes nothing."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from sts_emulator.app import create_server
from sts_emulator.settings import Settings
from sts_emulator.wire import dispatch, models

PAGE = (Path(__file__).parents[3] / "docs" / "cognito.md").read_text("utf-8").partition("## Identity pools")[0]
THERE, _, ABSENT = PAGE.partition("These are not:")
REFUSED, _, KEPT = ABSENT.partition("### Parameters that change nothing")
ROW = re.compile(r"^\| ([A-Z][^|]*) \| (\S[^|]*) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def operations() -> dict[str, models.Operation]:
    create_server(Settings()).worlds.store.close()
    return models.service("cognito-idp").operations


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def test_an_operation_is_carried_out_or_refused_with_its_reason(operations):
    refused = {name for names, reason in ROW.findall(REFUSED) if reason for name in names.split(", ")}
    missing = {name for name in operations if dispatch.find("cognito-idp", name) is None}
    assert refused == missing
    there = words("".join(THERE.partition("### What is not there")[2]))
    assert set(operations) - missing <= there


def test_a_parameter_that_changes_nothing_is_told(operations):
    """An operation whose function takes `**_` reads no more of its input than it names."""
    told = {word for names, _ in ROW.findall(KEPT) for word in words(names)}
    ignored = {
        member
        for name, operation in operations.items()
        if (function := dispatch.find("cognito-idp", name)) is not None
        and "_" in (named := inspect.signature(function).parameters)
        for member in (operation.input.members if operation.input else ())
        if member not in named
    }
    assert ignored <= told
