"""What Jane, Paul and the administrator do, and whether Jane is out of production and Paul is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sts_emulator.accounts import directory, documents
from sts_emulator.core import clock
from sts_emulator.labs.hands import Hands, policy
from sts_emulator.labs.seen import Seen

START = "https://d-9067000000.awsapps.com/start"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
DENY = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringLike": {"aws:userid": "*:jane"}}}


# -- steps -----------------------------------------------------------------------------------------------------------


def sign_in(hands: Hands) -> None:
    hands.keep("jane", _signed_in(hands, "jane"))
    hands.keep("session", _credentials(hands, "jane"))
    hands.client("sts", hands.kept("session")).get_caller_identity()


def look(hands: Hands) -> None:
    sso, people = hands.client("sso-admin"), hands.client("identitystore")
    instance = sso.list_instances()["Instances"][0]
    store = hands.keep("store", instance["IdentityStoreId"])
    permission_set = sso.list_permission_sets(InstanceArn=instance["InstanceArn"])["PermissionSets"][0]
    hands.keep("set", {"InstanceArn": instance["InstanceArn"], "PermissionSetArn": permission_set})
    users = people.list_users(IdentityStoreId=store)["Users"]
    hands.keep("jane-id", next(user["UserId"] for user in users if user["UserName"] == "jane"))
    hands.keep("group", people.list_groups(IdentityStoreId=store)["Groups"][0]["GroupId"])


def repair(hands: Hands) -> None:
    directly_only(hands)
    people, store = hands.client("identitystore"), hands.kept("store")
    membership = people.get_group_membership_id(
        IdentityStoreId=store, GroupId=hands.kept("group"), MemberId={"UserId": hands.kept("jane-id")}
    )
    people.delete_group_membership(IdentityStoreId=store, MembershipId=membership["MembershipId"])


def again(hands: Hands) -> None:
    with hands.tries():
        _credentials(hands, "jane")


def still(hands: Hands) -> None:
    with hands.tries():
        hands.client("iam", hands.kept("session")).list_roles()


def cut(hands: Hands) -> None:
    not_provisioned(hands)
    with hands.tries():
        hands.client("sso-admin").provision_permission_set(**hands.kept("set"), TargetType="ALL_PROVISIONED_ACCOUNTS")


def last(hands: Hands) -> None:
    still(hands)


def paul(hands: Hands) -> None:
    hands.keep("paul", _signed_in(hands, "paul"))
    with hands.tries():
        hands.client("iam", _credentials(hands, "paul")).list_roles()


def _signed_in(hands: Hands, user: str) -> str:
    """The access token that `aws sso login` would have."""
    oidc = hands.client("sso-oidc", ())
    registered = oidc.register_client(clientName="lab", clientType="public", scopes=["sso:account:access"])
    client = {name: registered[name] for name in ("clientId", "clientSecret")}
    device = oidc.start_device_authorization(**client, startUrl=START)
    hands.control("POST", "approve", body={"code": device["userCode"], "user": user})
    return str(oidc.create_token(**client, grantType=DEVICE, deviceCode=device["deviceCode"])["accessToken"])


def _credentials(hands: Hands, user: str) -> tuple[str, ...]:
    given = hands.client("sso", ()).get_role_credentials(
        roleName="Developer", accountId=hands.values["production"], accessToken=hands.kept(user)
    )["roleCredentials"]
    return (given["accessKeyId"], given["secretAccessKey"], given["sessionToken"])


def _unassign(hands: Hands, kind: str, principal: str) -> None:
    production = {"TargetType": "AWS_ACCOUNT", "TargetId": hands.values["production"]}
    hands.client("sso-admin").delete_account_assignment(
        **hands.kept("set"), **production, PrincipalType=kind, PrincipalId=principal
    )


# -- wrong ways ------------------------------------------------------------------------------------------------------


def directly_only(hands: Hands) -> None:
    _unassign(hands, "USER", hands.kept("jane-id"))


def both_assignments(hands: Hands) -> None:
    directly_only(hands)
    _unassign(hands, "GROUP", hands.kept("group"))


def not_provisioned(hands: Hands) -> None:
    hands.client("sso-admin").put_inline_policy_to_permission_set(**hands.kept("set"), InlinePolicy=policy(DENY))


# -- checks ----------------------------------------------------------------------------------------------------------


def jane_has_no_way(seen: Seen) -> Iterator[str]:
    left = _assignments(seen, "jane")
    if any(assignment["principal_type"] == "GROUP" for assignment in left):
        yield "Jane still reaches production: she is in a group that is assigned there."
    if left:
        yield "Jane still reaches production: an assignment names her."


def session_is_over(seen: Seen) -> Iterator[str]:
    given = {"eventName": "GetRoleCredentials", "additionalEventData.evidence.person": "jane", "errorCode": ""}
    made = next(seen.find(given), None)
    if made is None:
        yield "Jane has not got any credentials yet: do the step `sign-in` first."
    elif _may_list(seen, "jane", issued=clock.iso(made.at)):
        yield "The credentials that Jane got before are still good. Has the permission set been provisioned?"


def paul_goes_on(seen: Seen) -> Iterator[str]:
    if not _assignments(seen, "paul"):
        yield "Paul has no assignment in production any more: he cannot work."
    if not _may_list(seen, "paul"):
        yield "Paul's sessions are denied as well: he cannot work."


# -- what hints say --------------------------------------------------------------------------------------------------


def jane_has_two_ways(seen: Seen) -> Iterator[str]:
    ways = sorted(assignment["principal_type"] for assignment in _assignments(seen, "jane"))
    if ways != ["GROUP", "USER"]:
        yield f"Jane has {ways}"


def paul_has_one_way(seen: Seen) -> Iterator[str]:
    ways = [assignment["principal_type"] for assignment in _assignments(seen, "paul")]
    if ways != ["GROUP"]:
        yield f"Paul has {ways}"


def unprovisioned_is_unknown(seen: Seen) -> Iterator[str]:
    """That the policy does it, the solution shows; that it does nothing by itself, the way `not-provisioned`."""
    if not _may_list(seen, "jane"):
        yield "Jane's sessions are denied before anything was done"


def _assignments(seen: Seen, name: str) -> list[Any]:
    """Those that lead somebody to production, directly or by a group."""
    instance = next(iter(directory.instances(seen.world)))
    person = directory.user_by_name(seen.world, instance["store"], name)
    if person is None:
        return []
    production = seen.values["production"]
    return [there for there in directory.assignments_of(seen.world, instance, person) if there["account"] == production]


def _may_list(seen: Seen, session: str, issued: str = "") -> bool:
    roles = seen.world.page(documents.ROLE, f"{seen.values['production']}/awsreservedsso_developer_")
    if not roles:
        return False  # it goes with its last assignment, and its sessions with it
    keys = {"aws:TokenIssueTime": issued} if issued else {}
    return seen.allows(may="iam:ListRoles on *", caller={"role": roles[0]["name"], "session": session}, keys=keys)
