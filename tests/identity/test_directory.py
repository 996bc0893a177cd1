"""The identity store: people, groups and memberships. Operations, members and errors: the model.

Rules: docs/aws/identity-center.md, "Recorded in 2026" (identitystore).
"""

from __future__ import annotations

import re

import pytest
from identity_stories import EMPTY, MANAGEMENT, MEMBER, STORE, refusal

pytestmark = pytest.mark.scenario(EMPTY)

NAME = {"GivenName": "Jane", "FamilyName": "Doe"}
ENTERPRISE = "aws:identitystore:enterprise"
NOBODY = "00000000-0000-4000-8000-000000000000"


def unique(path: str, value) -> dict:
    return {"UniqueAttribute": {"AttributePath": path, "AttributeValue": value}}


@pytest.fixture
def store(lab):
    return lab.store


@pytest.fixture
def group(lab):
    return lab.store.create_group(**lab.of_store, DisplayName="developers", Description="Who writes")["GroupId"]


# -- people -----------------------------------------------------------------------------------------------------------


def test_a_person_lives_a_whole_life(lab, store):
    made = store.create_user(
        **lab.of_store,
        UserName="jane",
        DisplayName="Jane Doe",
        Name=NAME,
        Emails=[{"Value": "jane@example.com", "Type": "work", "Primary": True}],
        Title="Engineer",
        Extensions={ENTERPRISE: {"department": "shop", "costCenter": "7"}},
    )
    assert made["IdentityStoreId"] == STORE
    assert made["UserArn"] == f"arn:aws:identitystore:::user/{made['UserId']}"
    assert re.fullmatch("[0-9]+", made["Revision"])
    of_user = {**lab.of_store, "UserId": made["UserId"]}
    shown = store.describe_user(**of_user)
    assert (shown["UserName"], shown["Title"], shown["UserStatus"]) == ("jane", "Engineer", "ENABLED")
    assert shown["Emails"] == [{"Value": "jane@example.com", "Type": "work", "Primary": True}]
    assert "Extensions" not in shown  # unless asked for
    assert shown["CreatedBy"].startswith(f"arn:aws:iam::{MANAGEMENT}:")
    asked = store.describe_user(**of_user, Extensions=[ENTERPRISE])
    assert asked["Extensions"] == {ENTERPRISE: {"department": "shop", "costCenter": "7"}}
    changed = store.update_user(
        **of_user,
        Revision=made["Revision"],
        Operations=[
            {"AttributePath": "userName", "AttributeValue": "jane.doe"},
            {"AttributePath": "name.givenName", "AttributeValue": "Janet"},
            {"AttributePath": "title"},
            {"AttributePath": "phoneNumbers", "AttributeValue": [{"value": "+1", "type": "work"}]},
            {"AttributePath": f"{ENTERPRISE}.department", "AttributeValue": "sales"},
        ],
    )
    assert int(changed["Revision"]) > int(made["Revision"])
    shown = store.describe_user(**of_user, Extensions=[ENTERPRISE])
    assert (shown["UserName"], shown["Name"]["GivenName"]) == ("jane.doe", "Janet")
    assert shown["PhoneNumbers"] == [{"Value": "+1", "Type": "work"}]
    assert shown["Extensions"][ENTERPRISE] == {"department": "sales", "costCenter": "7"}
    assert "Title" not in shown
    entry = store.get_user_id(**lab.of_store, AlternateIdentifier=unique("userName", "JANE.DOE"))
    assert entry["UserId"] == made["UserId"]
    assert refusal(store.get_user_id, **lab.of_store, AlternateIdentifier=unique("userName", "jane"))[0] == ABSENT
    store.delete_user(**of_user)
    assert refusal(store.describe_user, **of_user)[0] == ABSENT


ABSENT = "ResourceNotFoundException"


def test_a_person_is_found_by_mail_by_arn_and_by_name(lab, store):
    jane = lab.new_user("jane", Emails=[{"Value": "jane@example.com"}])
    by_mail = unique("emails.value", "Jane@example.com")
    assert store.get_user_id(**lab.of_store, AlternateIdentifier=by_mail)["UserId"] == jane
    arn = f"arn:aws:identitystore::{MANAGEMENT}:identitystore/{STORE}"
    assert store.describe_user(IdentityStoreId=arn, UserId=f"arn:aws:identitystore:::user/{jane}")["UserId"] == jane
    lab.new_user("omar")
    (entry,) = store.list_users(**lab.of_store, Filters=[{"AttributePath": "UserName", "AttributeValue": "jane"}])[
        "Users"
    ]
    assert entry["UserId"] == jane
    assert len(store.list_users(**lab.of_store)["Users"]) == 2
    page = store.list_users(**lab.of_store, MaxResults=1)
    rest = store.list_users(**lab.of_store, MaxResults=1, NextToken=page["NextToken"])
    assert {user["UserName"] for user in page["Users"] + rest["Users"]} == {"jane", "omar"}


def test_what_aws_refuses_in_a_person(lab, store):
    jane = lab.new_user("jane", Emails=[{"Value": "jane@example.com"}])
    of_user = {**lab.of_store, "UserId": jane}
    named = {**lab.of_store, "DisplayName": "Somebody", "Name": NAME}
    invalid = "ValidationException"
    assert refusal(store.create_user, **named, UserName="JANE")[0] == "ConflictException"
    same_mail = [{"Value": "JANE@example.com"}]
    assert refusal(store.create_user, **named, UserName="other", Emails=same_mail)[0] == "ConflictException"
    assert refusal(store.create_user, **named)[0] == invalid
    assert refusal(store.create_user, **lab.of_store, UserName="other", Name=NAME)[0] == invalid
    only_given = {"GivenName": "Jane"}
    assert refusal(store.create_user, **lab.of_store, UserName="o", DisplayName="O", Name=only_given)[0] == invalid
    assert refusal(store.create_user, **named, UserName="Administrator")[0] == invalid
    assert refusal(store.create_user, **named, UserName="x" * 129)[0] == invalid
    two = [{"Value": "a@example.com"}, {"Value": "b@example.com"}]
    assert refusal(store.create_user, **named, UserName="other", Emails=two)[0] == invalid
    foreign = {"aws:identitystore:other": {"a": "b"}}
    assert refusal(store.create_user, **named, UserName="other", Extensions=foreign)[0] == invalid
    rename = [{"AttributePath": "userName", "AttributeValue": "new"}]
    assert refusal(store.update_user, **of_user, Operations=rename, Revision="1")[0] == "ConflictException"
    assert refusal(store.delete_user, **of_user, Revision="1")[0] == "ConflictException"
    for path in ("password", "userStatus", "emails.value", "groups"):
        change = [{"AttributePath": path, "AttributeValue": "x"}]
        assert refusal(store.update_user, **of_user, Operations=change)[0] == invalid, path
    gone = [{"AttributePath": "displayName"}]
    assert refusal(store.update_user, **of_user, Operations=gone)[0] == invalid
    wrong = unique("title", "x")
    assert refusal(store.get_user_id, **lab.of_store, AlternateIdentifier=wrong)[0] == invalid
    assert refusal(store.get_user_id, **lab.of_store, AlternateIdentifier=unique("userName", {"a": 1}))[0] == invalid
    by_title = [{"AttributePath": "Title", "AttributeValue": "x"}]
    assert refusal(store.list_users, **lab.of_store, Filters=by_title)[0] == invalid
    assert store.describe_user(**of_user)["UserName"] == "jane"


def test_a_missing_thing_is_named_by_its_type(lab, store):
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        store.describe_user(**lab.of_store, UserId=NOBODY)
    assert caught.value.response["ResourceType"] == "USER"
    assert caught.value.response["ResourceId"] == NOBODY
    assert refusal(store.describe_user, IdentityStoreId="d-0000000000", UserId=NOBODY)[0] == ABSENT
    assert refusal(store.describe_user, IdentityStoreId="d-what", UserId=NOBODY)[0] == "ValidationException"


# -- groups -----------------------------------------------------------------------------------------------------------


def test_a_group_lives_a_whole_life(lab, store, group):
    of_group = {**lab.of_store, "GroupId": group}
    shown = store.describe_group(**of_group)
    assert (shown["DisplayName"], shown["Description"]) == ("developers", "Who writes")
    assert (
        store.get_group_id(**lab.of_store, AlternateIdentifier=unique("displayName", "developers"))["GroupId"] == group
    )
    changes = [
        {"AttributePath": "displayName", "AttributeValue": "engineers"},
        {"AttributePath": "description", "AttributeValue": "Who build"},
    ]
    store.update_group(**of_group, Operations=changes)
    by_name = [{"AttributePath": "DisplayName", "AttributeValue": "engineers"}]
    (entry,) = store.list_groups(**lab.of_store, Filters=by_name)["Groups"]
    assert (entry["GroupId"], entry["Description"]) == (group, "Who build")
    assert refusal(store.create_group, **lab.of_store, DisplayName="Engineers")[0] == "ConflictException"
    assert refusal(store.create_group, **lab.of_store)[0] == "ValidationException"
    assert refusal(store.update_group, **of_group, Operations=changes, Revision="1")[0] == "ConflictException"
    store.delete_group(**of_group)
    assert refusal(store.describe_group, **of_group)[0] == ABSENT
    gone = unique("displayName", "engineers")
    assert refusal(store.get_group_id, **lab.of_store, AlternateIdentifier=gone)[0] == ABSENT


def test_somebody_joins_and_leaves(lab, store, group):
    jane = lab.new_user("jane")
    of_group = {**lab.of_store, "GroupId": group}
    member = {"MemberId": {"UserId": jane}}
    other = store.create_group(**lab.of_store, DisplayName="others")["GroupId"]
    made = store.create_group_membership(**of_group, **member)
    assert made["MembershipArn"] == f"arn:aws:identitystore:::membership/{made['MembershipId']}"
    assert refusal(store.create_group_membership, **of_group, **member)[0] == "ConflictException"
    of_membership = {**lab.of_store, "MembershipId": made["MembershipId"]}
    shown = store.describe_group_membership(**of_membership)
    assert (shown["GroupId"], shown["MemberId"]) == (group, {"UserId": jane})
    assert store.get_group_membership_id(**of_group, **member)["MembershipId"] == made["MembershipId"]
    assert [entry["MemberId"] for entry in store.list_group_memberships(**of_group)["GroupMemberships"]] == [
        {"UserId": jane}
    ]
    mine = store.list_group_memberships_for_member(**lab.of_store, **member)["GroupMemberships"]
    assert [entry["GroupId"] for entry in mine] == [group]
    results = store.is_member_in_groups(**lab.of_store, **member, GroupIds=[group, other])["Results"]
    assert [result["MembershipExists"] for result in results] == [True, False]
    assert refusal(store.is_member_in_groups, **lab.of_store, **member, GroupIds=[NOBODY])[0] == ABSENT
    stranger = {"MemberId": {"UserId": NOBODY}}
    assert refusal(store.create_group_membership, **of_group, **stranger)[0] == ABSENT
    store.delete_group_membership(**of_membership)
    assert refusal(store.describe_group_membership, **of_membership)[0] == ABSENT
    assert refusal(store.get_group_membership_id, **of_group, **member)[0] == ABSENT


def test_who_is_deleted_is_in_no_group(lab, store, group):
    jane = lab.new_user("jane")
    of_group = {**lab.of_store, "GroupId": group}
    store.create_group_membership(**of_group, MemberId={"UserId": jane})
    store.delete_user(**lab.of_store, UserId=jane)
    assert store.list_group_memberships(**of_group)["GroupMemberships"] == []


# -- the store --------------------------------------------------------------------------------------------------------


def test_network_settings_are_stored(lab, store):
    (listed,) = store.list_identity_stores()["IdentityStores"]
    assert listed["IdentityStoreArn"] == lab.instance["IdentityStoreArn"]
    assert store.describe_identity_store(**lab.of_store)["NetworkConfiguration"] == {"VpceAccessRequired": False}
    network = {"VpceAccessRequired": False, "ScimAllowSourceIps": ["192.0.2.0/24"]}
    store.update_identity_store(**lab.of_store, NetworkConfiguration=network)
    assert store.describe_identity_store(**lab.of_store)["NetworkConfiguration"] == network


def test_another_accounts_callers_are_refused(aws, lab, group):
    stranger = aws.client("identitystore", aws.credentials(account=MEMBER))
    denied = "AccessDeniedException"
    assert refusal(stranger.list_users, **lab.of_store)[0] == denied
    assert refusal(stranger.describe_group, **lab.of_store, GroupId=group)[0] == denied
    assert stranger.list_identity_stores()["IdentityStores"] == []
    nobody = aws.client("identitystore", aws.credentials(account=MANAGEMENT, user="eve"))
    code, message = refusal(nobody.list_users, **lab.of_store)
    assert code == denied
    assert "identitystore:ListUsers" in message
