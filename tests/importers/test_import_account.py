"""Account dumps, bare policies and definitions of providers, and files that are none of these."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from sts_emulator.importers.inventory import Inventory
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.importers.read import read_json

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "111122223333"}}],
}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
TEXT = json.dumps(TRUST, separators=(",", ":"))


def read(content: Any, file: str = "file.json", account: str = "") -> Inventory:
    return read_json(JsonText(json.dumps(content, indent=2).encode(), file), account)


# -- a whole account ------------------------------------------------------------------------------------------------------

DETAILS = {
    "UserDetailList": [
        {
            "Path": "/people/",
            "UserName": "alice",
            "UserId": "AIDAALICE",
            "Arn": "arn:aws:iam::444455556666:user/people/alice",
            "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": POLICY}],
            "GroupList": ["admins"],
            "AttachedManagedPolicies": [{"PolicyName": "P", "PolicyArn": "arn:aws:iam::444455556666:policy/P"}],
            "PermissionsBoundary": {
                "PermissionsBoundaryType": "Policy",
                "PermissionsBoundaryArn": "arn:aws:iam::aws:policy/X",
            },
            "Tags": [{"Key": "team", "Value": "blue"}],
        }
    ],
    "GroupDetailList": [
        {
            "Path": "/",
            "GroupName": "admins",
            "Arn": "arn:aws:iam::444455556666:group/admins",
            "GroupPolicyList": [],
            "AttachedManagedPolicies": [],
        }
    ],
    "RoleDetailList": [
        {
            "Path": "/aws-service-role/",
            "RoleName": "AWSServiceRoleForX",
            "RoleId": "AROAX",
            "Arn": "arn:aws:iam::444455556666:role/aws-service-role/AWSServiceRoleForX",
            "AssumeRolePolicyDocument": TRUST,
            "InstanceProfileList": [{"InstanceProfileName": "web"}],
            "RolePolicyList": [{"PolicyName": "inner", "PolicyDocument": POLICY}],
            "AttachedManagedPolicies": [],
            "MaxSessionDuration": 7200,
        }
    ],
    "Policies": [
        {
            "PolicyName": "P",
            "Arn": "arn:aws:iam::444455556666:policy/P",
            "Path": "/",
            "PolicyVersionList": [
                {"VersionId": "v2", "IsDefaultVersion": True, "Document": POLICY},
                {"VersionId": "v1", "IsDefaultVersion": False, "Document": TRUST},
            ],
        },
        {"PolicyName": "ReadOnlyAccess", "Arn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "PolicyVersionList": []},
    ],
}


def test_an_account_is_taken_whole():
    inventory = read(DETAILS)
    things = {(thing.section, thing.name): thing for thing in inventory.things}
    assert (inventory.exists, inventory.complete) == (True, True)
    assert sorted(things) == [
        ("groups", "admins"),
        ("instance_profiles", "web"),
        ("policies", "P"),
        ("roles", "AWSServiceRoleForX"),
        ("users", "alice"),
    ]
    assert {thing.account for thing in inventory.things} == {"444455556666"}
    assert things["users", "alice"].body == {
        "path": "/people/",
        "tags": {"team": "blue"},
        "groups": ["admins"],
        "policies": ["arn:aws:iam::444455556666:policy/P"],
        "inline": {"p": json.dumps(POLICY, separators=(",", ":"))},
        "boundary": "arn:aws:iam::aws:policy/X",
    }
    role = things["roles", "AWSServiceRoleForX"]
    assert (role.id, role.body["trust"], role.body["max_session_duration"]) == ("AROAX", TEXT, "7200")
    assert json.loads(things["policies", "P"].body["document"]) == POLICY


def test_lines_inside_documents():
    text = json.dumps(DETAILS, indent=2)
    (role,) = read(DETAILS).of("roles")
    line = role.line_of("inline.inner", "Statement[0].Action")
    assert text.splitlines()[line - 1].strip().startswith('"s3:*"') or '"Action"' in text.splitlines()[line - 1]


def test_documents_may_be_percent_encoded_as_the_api_sends_them():
    content = json.loads(json.dumps(DETAILS))
    content["RoleDetailList"][0]["AssumeRolePolicyDocument"] = quote(TEXT)
    (role,) = read(content).of("roles")
    assert role.body["trust"] == TEXT


def test_one_page_of_several_is_refused():
    with pytest.raises(BadInput, match="is only the first page"):
        read({**DETAILS, "IsTruncated": True})


@pytest.mark.parametrize(
    "content",
    [
        {"Role": {"RoleName": "r", "AssumeRolePolicyDocument": TRUST}},
        {"Roles": [{"RoleName": "r", "AssumeRolePolicyDocument": TRUST}]},
    ],
)
def test_roles_alone(content: Any):
    inventory = read(content)
    assert [(thing.name, thing.account) for thing in inventory.things] == [("r", "123456789012")]
    assert not inventory.complete


# -- bare documents --------------------------------------------------------------------------------------------------------


def test_a_trust_policy_is_a_role_called_like_its_file():
    (role,) = read(TRUST, "policies/deploy to prod.trust.json").things
    assert (role.section, role.name, role.body) == ("roles", "deploy-to-prod", {"trust": TEXT})


def test_a_provider_in_it_tells_the_account():
    statement = {
        **TRUST["Statement"][0],
        "Principal": {"Federated": "arn:aws:iam::777788889999:oidc-provider/gitlab.com"},
    }
    assert read({"Statement": [statement]}).things[0].account == "777788889999"
    assert read({"Statement": [statement]}, account="111122223333").things[0].account == "111122223333"


def test_any_other_policy_is_a_managed_one():
    (policy,) = read(POLICY, "s3.json").things
    assert (policy.section, policy.name) == ("policies", "s3")


def test_oidc_providers():
    (thing,) = read({"Url": "gitlab.com", "ClientIDList": ["a"], "ThumbprintList": [], "Tags": []}).things
    assert (thing.name, thing.body) == ("gitlab.com", {"url": "https://gitlab.com", "client_ids": ["a"]})
    listed = read({"OpenIDConnectProviderList": [{"Arn": "arn:aws:iam::111122223333:oidc-provider/gitlab.com"}]})
    assert (listed.things[0].account, listed.things[0].body) == ("111122223333", {"url": "https://gitlab.com"})


def test_roles_anywhere():
    anchor = {
        "name": "a",
        "trustAnchorId": "i",
        "enabled": True,
        "source": {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": "PEM"}},
    }
    profile = {"name": "p", "enabled": False, "roleArns": ["arn:aws:iam::111122223333:role/r"], "durationSeconds": 900}
    assert read({"trustAnchors": [anchor]}).things[0].body == {"certificates": "PEM", "id": "i"}
    (inventory,) = read({"profile": profile}).things
    assert (inventory.account, inventory.body) == (
        "111122223333",
        {"roles": ["arn:aws:iam::111122223333:role/r"], "duration": "900", "enabled": "false"},
    )
    without = read(
        {"trustAnchor": {"name": "a", "source": {"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": "x"}}}}
    )
    assert without.notes[0].message.endswith("its certificates are not in this file, so it is left out")


# -- what is none of these ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "line", "complaint"),
    [
        (b"", 1, "is not JSON"),
        (b"{", 1, "is not JSON: a key in double quotes is expected"),
        (b'{"a": 1', 1, "ends too early"),
        (b'{\n"a": [1,\n', 2, "ends too early"),
        (b'{"a"\n: }', 2, "is not JSON"),
        (b'{"a": 1} x', 1, "has something behind its end"),
        (b'{"Statement": [{"a": 1, "a": 2}]}', 1, "has the key `a` twice in one object"),
        (b'{"Statement": NaN}', 1, "NaN is no JSON value"),
        (b'{"Statement": "\\ud800"}', 1, "has half of a surrogate pair"),
        (b'{"\\ud800": 1}', 1, "has half of a surrogate pair"),
        (b'{"Statement": "\xff"}', 1, "is not UTF-8 text"),
        (b"[" * 100_000, 1, "nested"),
        (b'{"x": ' + b"[" * 100_000, 1, "nested"),
        (b'{"Statement": ' + b"[" * 100_000, 1, "nested"),
        (b'{"a": {"b": ]}}', 1, "closes something else"),
        (b'{"a": ["\\"\\"\\"\\"\\"]}', 1, "a text does not end"),
        (b'{"foo": 1}', 1, "is none of what can be imported"),
        (b'{"artifacts": {}, "version": "1"}', 1, "is the manifest of a CDK app"),
        (b"7", 1, "is none of what can be imported"),
        (b'{"RoleDetailList": [7]}', 1, "expected an object"),
        (b'{"RoleDetailList": [{"RoleName": "x"}]}', 1, "role `x` has no AssumeRolePolicyDocument"),
        (b'{"RoleDetailList": [{"RoleName": 7, "Arn": 7}]}', 1, "has no AssumeRolePolicyDocument"),
    ],
)
def test_bad_files_say_why_and_where(data: bytes, line: int, complaint: str):
    with pytest.raises(BadInput) as refused:
        read_json(JsonText(data, "bad.json"))
    assert complaint in str(refused.value)
    assert refused.value.line == line


def test_utf16_as_powershell_writes_it():
    assert read_json(JsonText(json.dumps(TRUST).encode("utf-16"), "trust.json")).things[0].name == "trust"


def test_what_nobody_asks_for_is_not_built():
    """A plan repeats everything several times; a part of it that nobody looks at may even be broken inside."""
    source = JsonText(b'{"big": {"a": [1, 2, {"b": nonsense here}]}, "Statement": []}', "x.json")
    assert list(source.top) == ["big", "Statement"]


def test_many_unclosed_texts_do_not_take_long():
    with pytest.raises(BadInput):
        read_json(JsonText(b'{"a": ["' + b'\\"' * 400_000, "x.json"))
