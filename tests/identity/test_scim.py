"""SCIM as identity providers really speak it, and AWS's deviations from the standard.

Source: docs/aws/identity-center.md, "Recorded in 2026" (SCIM server): bodies of Entra, Okta and others, AWS's sentences.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request

import pytest
from identity_stories import EMPTY, refusal

pytestmark = pytest.mark.scenario(EMPTY)

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ERROR = ["urn:ietf:params:scim:api:messages:2.0:Error"]
PATCH = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}
YEAR = 365


class Provider:
    """An identity provider that keeps the directory."""

    def __init__(self, endpoint: str, token: str):
        self.endpoint, self.token = endpoint, token

    def __call__(self, method: str, path: str, body=None, *, token: str | None = None, raw: bytes | None = None):
        """Status and body of an answer."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/{path}", data, method=method)
        bearer = self.token if token is None else token
        if bearer:
            request.add_header("Authorization", f"Bearer {bearer}")
        request.add_header("Content-Type", "application/scim+json")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def user(self, name: str = "jane", **more) -> dict:
        status, made = self("POST", "Users", person(name, **more))
        assert status == 201, made
        return made

    def group(self, name: str = "developers", *members: str) -> dict:
        body = {"displayName": name, "members": [{"value": member} for member in members]}
        status, made = self("POST", "Groups", body)
        assert status == 201, made
        return made

    def patch(self, path: str, *operations: dict):
        return self("PATCH", path, {**PATCH, "Operations": list(operations)})

    def find(self, kind: str, wanted: str) -> list[str]:
        status, listed = self("GET", f"{kind}?filter={urllib.parse.quote(wanted)}")
        assert status == 200, listed
        return [thing["id"] for thing in listed["Resources"]]


def person(name: str, **more) -> dict:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "displayName": f"{name} Doe",
        "name": {"givenName": name, "familyName": "Doe"},
        "active": True,
        **more,
    }


@pytest.fixture
def scim(aws):
    access = aws._api("POST", "scim")  # as `sts-emulator sso scim` asks
    return Provider(access["endpoint"], access["token"])


def members(lab, group: str) -> list[str]:
    listed = lab.store.list_group_memberships(**lab.of_store, GroupId=group)["GroupMemberships"]
    return [membership["MemberId"]["UserId"] for membership in listed]


# -- users ------------------------------------------------------------------------------------------------------------


def test_a_provisioned_person_is_in_the_directory(lab, scim):
    made = scim.user(
        externalId="701984",
        emails=[{"value": "jane@example.com", "type": "work", "primary": True}],
        title="Engineer",
        **{ENTERPRISE: {"department": "shop", "manager": {"value": "boss"}}},
    )
    assert made["meta"]["resourceType"] == "User"
    assert made["meta"]["location"] == f"{scim.endpoint}/Users/{made['id']}"
    assert made["schemas"][1] == ENTERPRISE
    shown = lab.store.describe_user(**lab.of_store, UserId=made["id"], Extensions=["aws:identitystore:enterprise"])
    assert (shown["UserName"], shown["Title"], shown["CreatedBy"]) == ("jane", "Engineer", "SCIM")
    assert shown["Emails"][0]["Value"] == "jane@example.com"
    assert shown["ExternalIds"][0]["Id"] == "701984"
    assert shown["Extensions"]["aws:identitystore:enterprise"]["department"] == "shop"
    by_external = {"ExternalId": shown["ExternalIds"][0]}
    assert lab.store.get_user_id(**lab.of_store, AlternateIdentifier=by_external)["UserId"] == made["id"]
    assert scim("GET", f"Users/{made['id']}") == (200, made)
    for wanted in ('userName eq "JANE"', 'externalId eq "701984"', f'id eq "{made["id"]}" and manager eq "boss"'):
        assert scim.find("Users", wanted) == [made["id"]], wanted
    assert scim.find("Users", 'userName eq "omar"') == []
    replaced = person("jane.doe", active=False)
    status, shown = scim("PUT", f"Users/{made['id']}", replaced)
    assert (status, shown["userName"], shown["active"]) == (200, "jane.doe", False)
    assert "title" not in shown
    assert lab.store.describe_user(**lab.of_store, UserId=made["id"])["UserStatus"] == "DISABLED"
    assert scim("DELETE", f"Users/{made['id']}") == (204, None)
    assert refusal(lab.store.describe_user, **lab.of_store, UserId=made["id"])[0] == "ResourceNotFoundException"
    assert scim("GET", f"Users/{made['id']}")[0] == 404


@pytest.mark.parametrize(
    ("operation", "member", "value"),
    [
        ({"op": "replace", "value": {"active": False}}, "active", False),  # Okta
        ({"op": "Replace", "path": "active", "value": "False"}, "active", False),  # Entra
        ({"op": "replace", "path": "active", "value": False}, "active", False),  # the standard
        ({"op": "Add", "path": "title", "value": "Engineer"}, "title", "Engineer"),
        (
            {"op": "Replace", "path": "name.givenName", "value": "Janet"},
            "name",
            {"givenName": "Janet", "familyName": "Doe"},
        ),
        (
            {"op": "Add", "path": 'emails[type eq "work"].value', "value": "j@example.com"},  # Entra
            "emails",
            [{"type": "work", "value": "j@example.com"}],
        ),
        ({"op": "Add", "path": f"{ENTERPRISE}:department", "value": "shop"}, ENTERPRISE, {"department": "shop"}),
        ({"op": "replace", "path": "userName", "value": "janet"}, "userName", "janet"),
    ],
)
def test_patches_that_senders_really_send(scim, operation, member, value):
    identifier = scim.user()["id"]
    status, patched = scim.patch(f"Users/{identifier}", operation)
    assert status == 200, patched
    assert patched[member] == value
    assert scim("GET", f"Users/{identifier}")[1][member] == value


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "userName"},
        {"op": "remove", "path": "active"},
        {"op": "remove"},
        {"op": "replace", "value": {"title": "a", "nickName": "b"}},
        {"op": "move", "path": "title", "value": "a"},
        {"op": "replace", "path": "groups", "value": []},
        {"op": "replace", "path": "title[", "value": "a"},
        {"op": "replace", "path": "displayName", "value": {"a": "b"}},
        {"op": "replace", "path": "name.givenName", "value": 7},
        {"op": "replace", "path": "displayName", "value": None},
    ],
)
def test_patches_that_aws_refuses(scim, operation):
    made = scim.user()
    status, error = scim.patch(f"Users/{made['id']}", operation)
    assert (status, error["schemas"]) == (400, ERROR)
    assert scim("GET", f"Users/{made['id']}")[1]["userName"] == "jane"


def test_the_sentence_for_patches_of_several_attributes(scim):
    made = scim.user()
    _, error = scim.patch(f"Users/{made['id']}", {"op": "replace", "value": {"title": "a", "nickName": "b"}})
    assert error["detail"] == (
        'Current PATCH support allows omitting "path" attribute only for Add and Replace operations modifying a single '
        "attribute."
    )


@pytest.mark.parametrize(
    "more",
    [
        {"password": "secret"},
        {"groups": [{"value": "x"}]},
        {"photos": [{"value": "x"}]},
        {"displayName": None},
        {"name": {"givenName": "Jane"}},
        {"userName": ""},
        {"userName": 7},
        {"active": "perhaps"},
        {"emails": [{"value": "a@example.com"}, {"value": "b@example.com"}]},
        {"emails": "a@example.com"},
        {ENTERPRISE: {"manager": {"value": "x", "displayName": "Boss"}}},
        {"title": "x" * 1025},
    ],
)
def test_people_that_aws_does_not_take(scim, more):
    status, error = scim("POST", "Users", {**person("jane"), **more})
    assert status == 400, error
    assert set(error) == {"schema", "schemas", "detail", "status", "exceptionRequestId", "timeStamp"}
    assert (error["schema"], error["status"]) == (ERROR, "400")


def test_a_name_that_is_taken_is_a_conflict(scim):
    scim.user()
    assert scim("POST", "Users", person("JANE"))[0] == 409
    scim.group()
    assert scim("POST", "Groups", {"displayName": "Developers"})[0] == 409


# -- groups -----------------------------------------------------------------------------------------------------------


def test_groups_never_tell_their_members(lab, scim):
    jane = scim.user()["id"]
    made = scim.group("developers", jane)
    assert made["members"] == []
    assert scim("GET", f"Groups/{made['id']}")[1]["members"] == []
    assert members(lab, made["id"]) == [jane]
    assert scim.find("Groups", f'id eq "{made["id"]}" and members eq "{jane}"') == [made["id"]]
    assert scim.find("Users", f'groups.value eq "{made["id"]}"') == [jane]


@pytest.mark.parametrize(
    "remove",
    [
        lambda user: {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": user}]},  # Entra
        lambda user: {"op": "remove", "path": f'members[value eq "{user}"]'},  # Okta, the standard
    ],
    ids=["entra", "standard"],
)
def test_members_come_and_go(lab, scim, remove):
    jane, group = scim.user()["id"], scim.group()["id"]
    add = {"op": "Add", "path": "members", "value": [{"$ref": None, "value": jane}]}
    assert scim.patch(f"Groups/{group}", add) == (204, None)
    assert members(lab, group) == [jane]
    assert scim.patch(f"Groups/{group}", remove(jane)) == (204, None)
    assert members(lab, group) == []


def test_a_single_member_needs_no_list(lab, scim):
    jane, group = scim.user()["id"], scim.group()["id"]
    assert scim.patch(f"Groups/{group}", {"op": "add", "path": "members", "value": {"value": jane}}) == (204, None)
    assert members(lab, group) == [jane]


@pytest.mark.parametrize("value", [None, 5, True, "x", {}, [5], [{"value": 5}]])
@pytest.mark.parametrize("verb", ["add", "remove"])
def test_what_is_no_member_is_refused(scim, verb, value):
    group = scim.group()["id"]
    status, error = scim.patch(f"Groups/{group}", {"op": verb, "path": "members", "value": value})
    assert (status, error["schemas"]) == (400, ERROR)


def test_a_group_is_renamed_without_a_path(scim):
    group = scim.group()["id"]
    rename = {"op": "replace", "value": {"id": group, "displayName": "engineers"}}
    assert scim.patch(f"Groups/{group}", rename) == (204, None)
    assert scim.find("Groups", 'displayName eq "engineers"') == [group]


def test_all_members_can_be_neither_replaced_nor_removed(lab, scim):
    jane = scim.user()["id"]
    group = scim.group("developers", jane)["id"]
    status, error = scim.patch(f"Groups/{group}", {"op": "replace", "path": "members", "value": []})
    assert (status, error["detail"]) == (400, "Replacing group memberships is not supported.")
    assert scim.patch(f"Groups/{group}", {"op": "remove", "path": "members"})[0] == 400
    many = [{"value": jane}] * 101
    assert scim.patch(f"Groups/{group}", {"op": "add", "path": "members", "value": many})[0] == 400
    assert scim("PUT", f"Groups/{group}", {"displayName": "x"})[0] == 405  # AWS has no PUT of groups
    assert members(lab, group) == [jane]


# -- lists ------------------------------------------------------------------------------------------------------------


def test_lists_go_by_index_or_by_cursor(scim):
    ids = {scim.user(f"user{number}")["id"] for number in range(3)}
    status, first = scim("GET", "Users?count=2&startIndex=1")
    assert (status, first["totalResults"], first["itemsPerPage"], first["startIndex"]) == (200, 3, 2, 1)
    _, second = scim("GET", "Users?count=2&startIndex=3")
    assert {user["id"] for user in first["Resources"] + second["Resources"]} == ids
    _, first = scim("GET", "Users?count=2&cursor=")
    assert "totalResults" not in first
    _, second = scim("GET", f"Users?count=2&cursor={urllib.parse.quote(first['nextCursor'])}")
    assert {user["id"] for user in first["Resources"] + second["Resources"]} == ids
    assert "nextCursor" not in second


@pytest.mark.parametrize(
    "query",
    [
        *("count=0", "count=101", "count=x", "startIndex=0", "cursor=made-up", "attributes=userName"),
        *(
            "excludedAttributes=name",
            "filter=userName",
            "filter=userName%20co%20%22a%22",
            "filter=title%20eq%20%22a%22",
        ),
        "filter=userName%20eq%20%22a%22%20or%20userName%20eq%20%22b%22",
    ],
)
def test_queries_that_aws_refuses(scim, query):
    assert scim("GET", f"Users?{query}")[0] == 400


def test_what_the_server_says_of_itself(scim):
    status, config = scim("GET", "ServiceProviderConfig")
    assert (status, config["patch"], config["bulk"]["supported"]) == (200, {"supported": True}, False)
    assert [kind["id"] for kind in scim("GET", "ResourceTypes")[1]["Resources"]] == ["User", "Group"]
    schemas = [schema["id"] for schema in scim("GET", "Schemas")[1]["Resources"]]
    for schema in schemas:
        assert scim("GET", f"Schemas/{schema}")[1]["id"] == schema
    for missing in ("Me", "Bulk", ".search", "Schemas/other"):
        assert scim("GET", missing)[0] == 404, missing


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_who_has_no_token_learns_nothing(aws, scim):
    other = Provider(scim.endpoint.replace("/scim/v2", "0/scim/v2"), scim.token)
    for status, error in (scim("GET", "Users", token=""), scim("GET", "Users", token="wrong"), other("GET", "Users")):
        assert (status, error["schemas"]) == (401, ERROR)
    denied = [event for event in aws.events(outcome="denied") if event["eventName"] == "ListUsers"]
    assert len(denied) == 3
    assert denied[0]["eventSource"] == "identitystore-scim.amazonaws.com"


def test_a_token_ends_after_a_year(aws, scim):
    aws.advance(days=YEAR - 1)
    assert scim("GET", "Users")[0] == 200
    aws.advance(days=1, seconds=1)
    assert scim("GET", "Users")[0] == 401


def test_two_tokens_work_at_a_time(aws, scim):
    second, third = (aws._api("POST", "scim")["token"] for _ in range(2))
    assert scim("GET", "Users")[0] == 401
    assert scim("GET", "Users", token=second)[0] == 200
    assert scim("GET", "Users", token=third)[0] == 200


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 10_000, b'{"userName":' * 500])
def test_bodies_that_are_none(scim, raw):
    status, error = scim("POST", "Users", raw=raw)
    assert status == 400
    assert error["detail"] == "Request is unparsable, syntactically incorrect, or violates schema."


def test_a_new_member_reaches_what_the_group_may(lab, scim):
    group = scim.group()["id"]
    permission_set = lab.new_set("Developer")
    lab.assign(permission_set, group, kind="GROUP")
    jane = scim.user()["id"]
    scim.patch(f"Groups/{group}", {"op": "add", "path": "members", "value": [{"value": jane}]})
    mine = lab.sso.list_account_assignments_for_principal(**lab.of, PrincipalId=jane, PrincipalType="USER")
    assert len(mine["AccountAssignments"]) == 1
