"""Temporary delegation: a partner asks, a customer approves and releases, and the partner acts as the approver.

Rules: UG access_policies-temporary-delegation, temporary-delegation-building-integration and
temporary-delegation-policy-templates.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

CUSTOMER, PARTNER, OTHER = "111122223333", "444455556666", "777788889999"
TOPIC = f"arn:aws:sns:us-east-1:{PARTNER}:delegations"
INVALID = (400, "ValidationError", "Invalid trade-in token")

pytestmark = pytest.mark.scenario("delegation.yaml")


def template(name: str, account: str = PARTNER) -> str:
    return f"arn:aws:iam::{account}:delegation-template/{name}"


@pytest.fixture
def iam(aws):
    """`iam(user, account)`: an IAM client of one of the users, the customer's unless said otherwise."""
    return lambda user, account=CUSTOMER: aws.client("iam", aws.credentials(account=account, user=user))


@pytest.fixture
def partner(aws):
    return aws.client("sts", aws.credentials(account=PARTNER, user="robot"))


@pytest.fixture
def ask(iam):
    """`ask(**changes)`: a request of the partner for an hour of reading; its id."""

    def ask(**changes):
        number = ask.number = getattr(ask, "number", 0) + 1
        request = {
            "Description": "Look around",
            "Permissions": {"PolicyTemplateArn": template("reader")},
            "RequestorWorkflowId": f"workflow-{number}",
            "NotificationChannel": TOPIC,
            "SessionDuration": 3600,
        }
        return iam("robot", PARTNER).create_delegation_request(**{**request, **changes})["DelegationRequestId"]

    return ask


@pytest.fixture
def messages(aws):
    """What the partner's topic received."""
    return lambda: [json.loads(entry["Message"]) for entry in aws._api("GET", "notifications", topic=TOPIC)]


@pytest.fixture
def approved(iam, ask, messages):
    """`approved(**changes)`: the token of a request that an administrator took over, accepted and released."""

    def approved(approver=None, **changes):
        request, approver = ask(**changes), approver or iam("adam")
        approver.associate_delegation_request(DelegationRequestId=request)
        approver.accept_delegation_request(DelegationRequestId=request)
        approver.send_delegation_token(DelegationRequestId=request)
        return messages()[-1]["ExchangeToken"]

    return approved


def state(client, request: str) -> str:
    return client.get_delegation_request(DelegationRequestId=request)["DelegationRequest"]["State"]


# -- the whole way ------------------------------------------------------------------------------------------------


def test_a_request_becomes_credentials_of_the_approver_that_do_what_was_asked_for(
    aws, iam, ask, partner, messages, refused
):
    request = ask(OwnerAccountId=CUSTOMER, RequestMessage="as agreed")
    olivia, adam = iam("olivia"), iam("adam")
    olivia.associate_delegation_request(DelegationRequestId=request)  # whoever takes it over owns it
    olivia.update_delegation_request(DelegationRequestId=request, Notes="please")  # and may forward it
    adam.accept_delegation_request(DelegationRequestId=request)
    olivia.send_delegation_token(DelegationRequestId=request)

    told = messages()
    assert [(entry["Type"], entry["State"]) for entry in told] == [
        ("StateChange", "ASSIGNED"),
        ("StateChange", "PENDING_APPROVAL"),
        ("StateChange", "ACCEPTED"),
        ("StateChange", "FINALIZED"),
        ("ExchangeToken", "FINALIZED"),
    ]
    assert {(entry["RequestId"], entry["RequestorWorkflowId"], entry["OwnerAccountId"]) for entry in told} == {
        (request, "workflow-1", CUSTOMER)
    }

    given = partner.get_delegated_access_token(TradeInToken=told[-1]["ExchangeToken"])
    assert given["AssumedPrincipal"] == f"arn:aws:iam::{CUSTOMER}:user/adam"
    session = aws.client("iam", given["Credentials"])
    assert session.list_users()["Users"]
    status, code, message = refused(session.list_groups)
    assert (status, code) == (403, "AccessDenied")
    assert "because no session policy allows the iam:ListGroups action" in message


def test_what_the_approver_may_not_do_nobody_gets(aws, iam, ask, partner, messages, refused):
    iam("adam").put_user_policy(
        UserName="olivia", PolicyName="approve", PolicyDocument=allow("iam:AcceptDelegationRequest")
    )
    request, olivia = ask(), iam("olivia")
    for step in ("associate_delegation_request", "accept_delegation_request", "send_delegation_token"):
        getattr(olivia, step)(DelegationRequestId=request)
    given = partner.get_delegated_access_token(TradeInToken=messages()[-1]["ExchangeToken"])
    session = aws.client("iam", given["Credentials"])
    assert session.list_users()["Users"]
    assert refused(session.list_roles)[:2] == (403, "AccessDenied")  # asked for, but not olivia's to give


def test_an_approver_may_be_a_session_and_the_trail_tells_who_acts(aws, approved, partner):
    assumed = aws.client("sts", user="adam").assume_role(
        RoleArn=f"arn:aws:iam::{CUSTOMER}:role/admin", RoleSessionName="adam"
    )
    token = approved(approver=aws.client("iam", assumed["Credentials"]), SessionDuration=43_200)
    given = partner.get_delegated_access_token(TradeInToken=token)
    assert given["AssumedPrincipal"] == f"arn:aws:iam::{CUSTOMER}:role/admin"
    aws.advance(hours=2)  # longer than the session of the approver lived
    aws.client("iam", given["Credentials"]).list_users()
    identity = aws.events()[-1]["userIdentity"]
    assert identity["arn"] == f"arn:aws:sts::{CUSTOMER}:assumed-role/admin/adam"
    assert identity["invokedByDelegate"] == {"accountId": PARTNER}


# -- tokens -------------------------------------------------------------------------------------------------------


def test_a_token_is_good_until_the_time_that_was_approved_and_all_its_credentials_end_then(
    aws, approved, partner, refused
):
    token = approved()
    first = partner.get_delegated_access_token(TradeInToken=token)["Credentials"]
    aws.advance(minutes=40)
    second = partner.get_delegated_access_token(TradeInToken=token)["Credentials"]
    assert second["AccessKeyId"] != first["AccessKeyId"]
    assert second["Expiration"] == first["Expiration"]
    assert second["Expiration"].timestamp() - aws.now() == pytest.approx(20 * 60, abs=30)
    aws.advance(minutes=21)
    status, code, _ = refused(partner.get_delegated_access_token, TradeInToken=token)
    assert (status, code) == (400, "ExpiredTradeInTokenException")
    assert refused(aws.client("sts", second).get_caller_identity)[1] == "ExpiredToken"


def test_only_the_account_that_asked_can_exchange_it(aws, approved, partner, refused):
    token = approved()
    for account, user in ((OTHER, "robot"), (CUSTOMER, "adam")):
        thief = aws.client("sts", aws.credentials(account=account, user=user))
        assert refused(thief.get_delegated_access_token, TradeInToken=token) == INVALID
    for forged in ("x", "A" * 400, token[:-8] + "A" * 8):
        assert refused(partner.get_delegated_access_token, TradeInToken=forged) == INVALID


def test_the_exchange_needs_a_permission(aws, approved, refused):
    idle = aws.client("sts", aws.credentials(account=PARTNER, user="idle"))
    assert refused(idle.get_delegated_access_token, TradeInToken=approved())[:2] == (403, "AccessDenied")


def test_a_token_is_worth_nothing_once_its_approver_is_gone(aws, ask, messages, partner, refused):
    root = aws.client("iam")
    root.create_user(UserName="temp")
    root.attach_user_policy(UserName="temp", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    key = root.create_access_key(UserName="temp")["AccessKey"]
    temp = aws.client("iam", {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]})
    request = ask()
    for step in ("associate_delegation_request", "accept_delegation_request", "send_delegation_token"):
        getattr(temp, step)(DelegationRequestId=request)
    root.delete_access_key(UserName="temp", AccessKeyId=key["AccessKeyId"])
    root.detach_user_policy(UserName="temp", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    root.delete_user(UserName="temp")
    root.create_user(UserName="temp")  # a namesake is somebody else
    token = messages()[-1]["ExchangeToken"]
    assert refused(partner.get_delegated_access_token, TradeInToken=token) == INVALID


def test_the_token_is_not_in_the_audit_trail(aws, approved, partner):
    token = approved()
    partner.get_delegated_access_token(TradeInToken=token)
    assert token not in json.dumps(aws.events())


# -- who may do what ----------------------------------------------------------------------------------------------


def allow(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_an_owner_may_not_approve_by_owning(iam, ask, refused):
    request, olivia = ask(), iam("olivia")
    olivia.associate_delegation_request(DelegationRequestId=request)
    status, code, message = refused(olivia.accept_delegation_request, DelegationRequestId=request)
    assert (status, code) == (403, "AccessDenied")
    assert "iam:AcceptDelegationRequest" in message
    olivia.reject_delegation_request(DelegationRequestId=request, Notes="too much")
    told = olivia.get_delegation_request(DelegationRequestId=request)["DelegationRequest"]
    assert (told["State"], told["RejectionReason"]) == ("REJECTED", "too much")


def test_a_request_for_an_account_is_for_nobody_else(iam, ask, refused):
    request = ask(OwnerAccountId=CUSTOMER)
    stranger = iam("robot", OTHER)
    for call in (stranger.get_delegation_request, stranger.associate_delegation_request):
        assert refused(call, DelegationRequestId=request)[:2] == (403, "AccessDenied")
    iam("olivia").associate_delegation_request(DelegationRequestId=request)
    assert refused(stranger.accept_delegation_request, DelegationRequestId=request)[1] == "AccessDenied"
    assert refused(iam("zoe").get_delegation_request, DelegationRequestId=request)[1] == "AccessDenied"  # no MFA


def test_a_request_for_nobody_in_particular_is_whoever_takes_it(iam, ask, refused):
    request = ask()
    iam("robot", OTHER).associate_delegation_request(DelegationRequestId=request)
    assert refused(iam("adam").get_delegation_request, DelegationRequestId=request)[1] == "AccessDenied"


def test_a_partner_may_want_the_owner_to_be_there_at_the_end(iam, ask, refused):
    request, olivia, adam = ask(OnlySendByOwner=True), iam("olivia"), iam("adam")
    olivia.associate_delegation_request(DelegationRequestId=request)
    adam.accept_delegation_request(DelegationRequestId=request)
    assert refused(adam.send_delegation_token, DelegationRequestId=request)[:2] == (403, "AccessDenied")
    olivia.send_delegation_token(DelegationRequestId=request)
    assert state(olivia, request) == "FINALIZED"


def test_root_approves_four_hours_at_most(aws, ask, refused):
    root = aws.client("iam", aws.credentials(account=CUSTOMER))
    for seconds, expected in ((14_400, "ACCEPTED"), (14_401, "ASSIGNED")):
        request = ask(SessionDuration=seconds)
        root.associate_delegation_request(DelegationRequestId=request)
        if expected == "ACCEPTED":
            root.accept_delegation_request(DelegationRequestId=request)
        else:
            assert refused(root.accept_delegation_request, DelegationRequestId=request)[:2] == (400, "InvalidInput")
        assert state(root, request) == expected


# -- states -------------------------------------------------------------------------------------------------------


def test_each_step_needs_the_one_before(iam, ask, refused):
    adam, request = iam("adam"), {"DelegationRequestId": ask(OwnerAccountId=CUSTOMER)}
    associate, update = adam.associate_delegation_request, adam.update_delegation_request
    accept, send, reject = adam.accept_delegation_request, adam.send_delegation_token, adam.reject_delegation_request
    for step, reached, impossible in (
        (associate, "ASSIGNED", (associate, send)),
        (update, "PENDING_APPROVAL", (associate, send)),
        (accept, "ACCEPTED", (associate, update, accept)),
        (send, "FINALIZED", (associate, update, accept, send, reject)),
    ):
        step(**request)
        assert state(adam, request["DelegationRequestId"]) == reached
        for entry in impossible:
            assert refused(entry, **request)[:2] == (400, "InvalidInput")


@pytest.mark.parametrize(("taken", "days"), [(False, 1), (True, 7)], ids=["unassigned", "assigned"])
def test_requests_expire(aws, iam, ask, refused, taken, days):
    request, adam = ask(OwnerAccountId=CUSTOMER), iam("adam")
    if taken:
        adam.associate_delegation_request(DelegationRequestId=request)
    told = adam.get_delegation_request(DelegationRequestId=request)["DelegationRequest"]
    assert told["ExpirationTime"] - told["CreateDate"] == pytest.approx(timedelta(days=days), abs=timedelta(seconds=5))
    aws.advance(days=days)
    assert state(adam, request) == "EXPIRED"
    step = adam.accept_delegation_request if taken else adam.associate_delegation_request
    assert refused(step, DelegationRequestId=request)[:2] == (400, "InvalidInput")


def test_requests_are_listed_once_somebody_owns_them(iam, ask, refused):
    mine, _unowned = ask(OwnerAccountId=CUSTOMER), ask(OwnerAccountId=CUSTOMER)
    olivia, adam = iam("olivia"), iam("adam")
    olivia.associate_delegation_request(DelegationRequestId=mine)
    arn = f"arn:aws:iam::{CUSTOMER}:user/olivia"
    for listed in (adam.list_delegation_requests(), olivia.list_delegation_requests(OwnerId=arn)):
        assert [entry["DelegationRequestId"] for entry in listed["DelegationRequests"]] == [mine]
        assert listed["isTruncated"] is False
    assert adam.list_delegation_requests(OwnerId=f"{arn}2")["DelegationRequests"] == []
    assert refused(olivia.list_delegation_requests)[:2] == (403, "AccessDenied")
    assert iam("robot", OTHER).list_delegation_requests()["DelegationRequests"] == []


def test_nobody_finds_what_is_not_there(iam, refused):
    missing = {"DelegationRequestId": "e4bdcdae-4f66-11ed-eleg-ationexample"}
    assert refused(iam("adam").get_delegation_request, **missing)[:2] == (404, "NoSuchEntity")
    assert refused(iam("olivia").get_delegation_request, **missing)[:2] == (403, "AccessDenied")


# -- what is asked for --------------------------------------------------------------------------------------------


def onboard(*roles: str, create: str = "True") -> dict:
    parameters = [
        {"Name": "AccountId", "Values": [CUSTOMER], "Type": "string"},
        {"Name": "RoleNames", "Values": list(roles), "Type": "stringList"},
        {"Name": "CREATE_ROLES", "Values": [create], "Type": "string"},
    ]
    return {"PolicyTemplateArn": template("onboard"), "Parameters": parameters}


def test_a_template_is_filled_in(iam, ask):
    told = iam("adam").get_delegation_request(DelegationRequestId=ask(Permissions=onboard("a", "b")))
    shown = told["DelegationRequest"]
    first, second = json.loads(shown["PermissionPolicy"])["Statement"]
    assert first["Resource"] == [f"arn:aws:iam::{CUSTOMER}:role/a", f"arn:aws:iam::{CUSTOMER}:role/b"]
    assert second["Action"] == "iam:CreateRole"
    assert "@Enabled" not in second
    assert shown["RolePermissionRestrictionArns"] == [f"arn:aws:iam::{CUSTOMER}:policy/limit"]
    assert (shown["RequestorId"], shown["RequestorName"], shown["State"]) == (PARTNER, "Partner", "UNASSIGNED")


def test_statements_can_be_left_out(iam, ask):
    request = ask(Permissions=onboard("a", create="False"))
    shown = iam("adam").get_delegation_request(DelegationRequestId=request)["DelegationRequest"]
    assert [entry["Action"] for entry in json.loads(shown["PermissionPolicy"])["Statement"]] == ["iam:GetRole"]


@pytest.mark.parametrize(
    ("user", "answer"),
    [("adam", "ALLOWED"), ("olivia", "DENIED"), ("zoe", "UNSURE")],
    ids=["may", "may not", "it depends"],
)
def test_whether_the_caller_could_approve_with_effect(iam, ask, user, answer):
    told = iam(user).get_delegation_request(DelegationRequestId=ask(), DelegationPermissionCheck=True)
    assert (told["PermissionCheckStatus"], told["PermissionCheckResult"]) == ("COMPLETE", answer)


def test_no_language_model_has_a_say(iam, ask):
    arn = f"arn:aws:iam::{CUSTOMER}:delegation-request/{ask()}"
    assert iam("adam").get_human_readable_summary(EntityArn=arn)["SummaryState"] == "NOT_AVAILABLE"


WRONG = {
    "another partner's template": {"Permissions": {"PolicyTemplateArn": template("other", OTHER)}},
    "no such template": {"Permissions": {"PolicyTemplateArn": template("missing")}},
    "another account's topic": {"NotificationChannel": f"arn:aws:sns:us-east-1:{OTHER}:topic"},
    "no topic": {"NotificationChannel": f"arn:aws:sqs:us-east-1:{PARTNER}:queue"},
    "a parameter is missing": {"Permissions": {"PolicyTemplateArn": template("onboard")}},
    "too long": {"Permissions": onboard(*(f"role-{number}" for number in range(200)))},
    "too many combinations": {
        "Permissions": {
            "PolicyTemplateArn": template("onboard"),
            "Parameters": [
                {"Name": name, "Values": ["x"] * 60, "Type": "stringList"}
                for name in ("AccountId", "RoleNames", "CREATE_ROLES")
            ],
        }
    },
    "several values of a string": {
        "Permissions": {
            "PolicyTemplateArn": template("reader"),
            "Parameters": [{"Name": "AccountId", "Values": ["1", "2"], "Type": "string"}],
        }
    },
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_what_a_partner_may_not_ask_for(ask, refused, changes):
    assert refused(ask, **changes)[:2] == (400, "InvalidInput")


def test_a_workflow_has_one_request(ask, refused):
    ask(RequestorWorkflowId="workflow-x")
    assert refused(ask, RequestorWorkflowId="workflow-x")[:2] == (409, "EntityAlreadyExists")
