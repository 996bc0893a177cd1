"""docs/operations.md: every operation of every service that is served is carried out, or stands there with the reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sts_emulator.app import create_server
from sts_emulator.settings import Settings
from sts_emulator.wire import dispatch

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
ROW = re.compile(r"^\| `([\w-]+)` \| ([\w, ]+) \| (\S.*) \|$", re.MULTILINE)


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def listed(title: str) -> dict[str, set[str]]:
    return {service: set(names.split(", ")) for service, names, _ in ROW.findall(section(title))}


@pytest.fixture(scope="module")
def operations():
    create_server(Settings()).worlds.store.close()
    return dispatch.operations()


def test_every_operation_is_carried_out_or_on_the_page(operations):
    whole, all_but, only = (
        set(re.findall(r"`([\w-]+)`", section("Whole"))),
        listed("All but these"),
        listed("These only"),
    )
    assert whole | set(all_but) | set(only) == set(operations)
    for service, names in operations.items():
        there = {name for name in names if dispatch.find(service, name) is not None}
        told = only.get(service, set(names) - all_but.get(service, set()))
        assert there == told, service


def test_each_row_says_why():
    rows = ROW.findall(PAGE)
    assert len(rows) == len(listed("All but these")) + len(listed("These only"))
    assert all(len(reason) > len("none") for _, _, reason in rows)


@pytest.mark.scenario('accounts: {"111122223333": {}}')
def test_one_that_is_not_there_says_so(aws):
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as refused:
        aws.client("organizations").create_account(Email="new@example.com", AccountName="new")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert refused.value.response["Error"]["Code"] == "NotImplemented"
