"""Every sentence with which IAM refuses a call, word for word as AWS was recorded to say it (cases/*.json)."""

import json

import pytest
from botocore import xform_name
from botocore.config import Config
from iam_stories import CASES, EC2, EMPTY, allow, document, refusal

pytestmark = pytest.mark.scenario(EMPTY)

DOCUMENTS = {
    "ALLOW": allow("s3:GetObject"),
    "TRUST": EC2,
    "LONG TRUST": document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam::{n:012}:root" for n in range(111122220000, 111122220080)]},
            "Action": "sts:AssumeRole",
        }
    ),
}


def recorded(file: str) -> list:
    listed = json.loads((CASES / file).read_text("utf-8"))
    assert {case["source"] for case in listed["cases"]} == set(listed["sources"])
    return [pytest.param(case, id=case["name"]) for case in listed["cases"]]


def filled(value, account: str, member: str = ""):
    """Arguments with names for documents and the account's id filled in; a document is sent as text."""
    if member.endswith("PolicyDocument"):
        return filled(json.dumps(value), account) if isinstance(value, dict) else DOCUMENTS.get(value, value)
    if isinstance(value, dict):
        return {name: filled(item, account, name) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, account) for item in value]
    return value.replace("{account}", account) if isinstance(value, str) else value


@pytest.mark.parametrize("case", [*recorded("errors.json"), *recorded("names.json")])
def test_iam_refuses_in_awss_words_and_changes_nothing(aws, case):
    iam = aws.client("iam", config=Config(parameter_validation=False))

    # given
    for operation, arguments in case.get("given", ()):
        getattr(iam, xform_name(operation))(**filled(arguments, aws.account))
    before = iam.get_account_summary()["SummaryMap"]

    # when
    operation, arguments = case["when"]
    got = refusal(getattr(iam, xform_name(operation)), **filled(arguments, aws.account))

    # then
    assert got == tuple(filled(case["then"], aws.account))
    assert iam.get_account_summary()["SummaryMap"] == before
