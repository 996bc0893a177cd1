"""docs/cognito.md tells every operation of the model; of its parameters test_parameters_of_pools.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sts_emulator.app import create_server
from sts_emulator.settings import Settings
from sts_emulator.wire import dispatch, models

PAGE = (Path(__file__).parents[3] / "docs" / "cognito.md").read_text("utf-8").partition("## Identity pools")[0]
THERE, _, ABSENT = PAGE.partition("These are not:")
REFUSED = ABSENT.partition("### Parameters that are refused")[0]
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
