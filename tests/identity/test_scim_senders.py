"""Whole conversations of identity providers with the SCIM endpoint, body by body.

Bodies: Microsoft's "Develop a SCIM endpoint" and "SCIM 2.0 protocol compliance" (Entra), Okta's SCIM 2.0 reference, and what
Keycloak's SCIM extension sends (its issues; docs/aws/identity-center.md, "Recorded in 2026").
"""

from __future__ import annotations

import pytest
from identity_stories import EMPTY
from test_scim import ENTERPRISE, PATCH, Provider, members

pytestmark = pytest.mark.scenario(EMPTY)

USER, GROUP = "urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:Group"


@pytest.fixture
def scim(aws):
    access = aws._api("POST", "scim")
    return Provider(access["endpoint"], access["token"])


def test_entra(lab, scim):
    # its "Test connection": a name that nobody has
    status, nobody = scim("GET", "Users?filter=userName+eq+%22b7a9d8c1-3f70-4a67-9e0c-2f7f4f6b3a11%22")
    assert (status, nobody["totalResults"], nobody["Resources"]) == (200, 0, [])
    # a user is created
    created = {
        "schemas": [USER, ENTERPRISE],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "jane@corp.example",
        "active": True,
        "displayName": "Jane Doe",
        "emails": [{"primary": True, "type": "work", "value": "jane@corp.example"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Jane Doe", "familyName": "Doe", "givenName": "Jane"},
        "roles": [],
        ENTERPRISE: {"department": "shop"},
    }
    status, jane = scim("POST", "Users", created)
    assert (status, jane["userName"], jane["emails"]) == (201, "jane@corp.example", created["emails"])
    assert scim.find("Users", 'externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"') == [jane["id"]]
    # changed: several operations at a time, capitals, and enterprise attributes by path
    operations = [
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "jane.doe@corp.example"},
        {"op": "Replace", "path": 'emails[type eq "work"].primary', "value": True},
        {"op": "Replace", "path": "name.familyName", "value": "Roe"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Tech Infrastructure"},
    ]
    status, changed = scim.patch(f"Users/{jane['id']}", *operations)
    assert status == 200, changed
    assert changed["emails"] == [{"primary": True, "type": "work", "value": "jane.doe@corp.example"}]
    assert (changed["name"]["familyName"], changed[ENTERPRISE]["department"]) == ("Roe", "Tech Infrastructure")
    # a group is looked for without its members, made, filled and emptied
    status, none = scim("GET", "Groups?excludedAttributes=members&filter=displayName+eq+%22developers%22")
    assert (status, none["Resources"]) == (200, [])
    wanted = {
        "schemas": [GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
        "displayName": "developers",
        "meta": {"resourceType": "Group"},
    }
    status, group = scim("POST", "Groups", wanted)
    assert (status, group["displayName"]) == (201, "developers")
    member = [{"$ref": None, "value": jane["id"]}]
    assert scim.patch(f"Groups/{group['id']}", {"op": "Add", "path": "members", "value": member}) == (204, None)
    assert members(lab, group["id"]) == [jane["id"]]
    assert scim.patch(f"Groups/{group['id']}", {"op": "Remove", "path": "members", "value": member}) == (204, None)
    assert members(lab, group["id"]) == []
    rename = {"op": "Replace", "path": "displayName", "value": "engineers"}
    assert scim.patch(f"Groups/{group['id']}", rename) == (204, None)
    # disabled, the old way and the new
    for active in ("False", False):
        status, gone = scim.patch(f"Users/{jane['id']}", {"op": "Replace", "path": "active", "value": active})
        assert (status, gone["active"]) == (200, False)
    assert scim("DELETE", f"Users/{jane['id']}") == (204, None)


def test_okta(lab, scim):
    # it looks before it writes
    status, answer = scim("GET", "Users?filter=userName%20eq%20%22jane@corp.example%22&startIndex=1&count=100")
    assert (status, answer["Resources"]) == (200, [])
    created = {
        "schemas": [USER],
        "userName": "jane@corp.example",
        "name": {"givenName": "Jane", "familyName": "Doe"},
        "emails": [{"primary": True, "value": "jane@corp.example", "type": "work"}],
        "displayName": "Jane Doe",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "active": True,
    }
    status, jane = scim("POST", "Users", created)
    assert (status, jane["locale"]) == (201, "en-US"), jane
    # a change is what it has just read, with what changed, put back whole
    read = scim("GET", f"Users/{jane['id']}")[1]
    status, changed = scim("PUT", f"Users/{jane['id']}", {**read, "title": "Engineer"})
    assert (status, changed["title"], changed["externalId"]) == (200, "Engineer", "00ujl29u0le5T6Aj10h7")
    # deactivated and activated without a path
    for active in (False, True):
        status, changed = scim.patch(f"Users/{jane['id']}", {"op": "replace", "value": {"active": active}})
        assert (status, changed["active"]) == (200, active)
    # a group is pushed with its members, renamed, and changed by both at a time
    omar = scim.user("omar")["id"]
    pushed = {"schemas": [GROUP], "displayName": "developers", "members": [{"value": jane["id"], "display": "jane@x"}]}
    status, group = scim("POST", "Groups", pushed)
    assert status == 201
    rename = {"op": "replace", "value": {"id": group["id"], "displayName": "engineers"}}
    assert scim.patch(f"Groups/{group['id']}", rename) == (204, None)
    swap = [
        {"op": "remove", "path": f'members[value eq "{jane["id"]}"]'},
        {"op": "add", "path": "members", "value": [{"value": omar, "display": "omar@corp.example"}]},
    ]
    assert scim.patch(f"Groups/{group['id']}", *swap) == (204, None)
    assert members(lab, group["id"]) == [omar]
    # a full push replaces all members, which AWS does not take
    full = {"op": "replace", "path": "members", "value": [{"value": jane["id"], "display": "jane@corp.example"}]}
    status, error = scim.patch(f"Groups/{group['id']}", full)
    assert (status, error["detail"]) == (400, "Replacing group memberships is not supported.")
    assert scim("DELETE", f"Groups/{group['id']}") == (204, None)


def test_keycloak(lab, scim):
    created = {
        "schemas": [USER],
        "externalId": "f:1:jane",
        "userName": "jane",
        "name": {"givenName": "Jane", "familyName": "Doe"},
        "displayName": "Jane Doe",
        "emails": [{"value": "jane@corp.example", "primary": True}],
        "active": True,
    }
    status, jane = scim("POST", "Users", created)
    assert status == 201, jane
    status, changed = scim("PUT", f"Users/{jane['id']}", {**created, "id": jane["id"], "displayName": "Jane Roe"})
    assert (status, changed["displayName"]) == (200, "Jane Roe")
    status, group = scim("POST", "Groups", {"schemas": [GROUP], "externalId": "f:1:dev", "displayName": "dev"})
    assert status == 201
    # it sends all members anew: AWS's refusal is the one that its users report
    replace = {**PATCH, "Operations": [{"op": "replace", "path": "members", "value": [{"value": jane["id"]}]}]}
    status, error = scim("PATCH", f"Groups/{group['id']}", replace)
    assert (status, error["detail"]) == (400, "Replacing group memberships is not supported.")
    assert scim("PUT", f"Groups/{group['id']}", {"schemas": [GROUP], "displayName": "dev", "members": []})[0] == 405
    assert members(lab, group["id"]) == []
