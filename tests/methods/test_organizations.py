"""What an organization adds to a decision: SCPs on its people, RCPs on its roles, and keys that say who belongs.

Rules: docs/aws/policy-evaluation.md, "Layers" rows 2 and 3; texts: docs/aws/sts.md, "Endings of denials".
"""

from __future__ import annotations

import json

import pytest
from botocore import UNSIGNED
from botocore.config import Config

MEMBER, MANAGEMENT, OUTSIDE = "111122223333", "100000000001", "999900001111"

pytestmark = pytest.mark.scenario("organization.yaml")


def role(account: str, name: str) -> dict[str, str]:
    return {"RoleArn": f"arn:aws:iam::{account}:role/{name}", "RoleSessionName": "who"}


@pytest.fixture
def sts(aws):
    """An STS client of one of the users."""
    return lambda account, user: aws.client("sts", aws.credentials(account=account, user=user))


def test_a_service_control_policy_limits_the_people_of_its_accounts(sts, refused):
    message = (
        f"User: arn:aws:iam::{MEMBER}:user/alice is not authorized to perform: sts:AssumeRole on resource: "
        f"arn:aws:iam::{MEMBER}:role/secret with an explicit deny in a service control policy"
    )
    assert refused(sts(MEMBER, "alice").assume_role, **role(MEMBER, "secret")) == (403, "AccessDenied", message)


def test_the_management_account_is_exempt(sts):
    assert sts(MANAGEMENT, "chief").assume_role(**role(MANAGEMENT, "secret"))["Credentials"]


def test_a_resource_control_policy_keeps_strangers_out_whatever_the_trust_policy_says(aws, sts, refused):
    assert sts(MEMBER, "alice").assume_role(**role(MEMBER, "open"))["Credentials"]
    assert sts(MANAGEMENT, "chief").assume_role(**role(MEMBER, "open"))["Credentials"]
    status, code, message = refused(sts(OUTSIDE, "stranger").assume_role, **role(MEMBER, "open"))
    assert (status, code) == (403, "AccessDenied")
    assert message.endswith(f"on resource: arn:aws:iam::{MEMBER}:role/open")  # across accounts no reason is given
    assert [decision["layer"] for decision in aws.decisions()] == ["rcp"]


def test_it_reaches_federated_callers_too(aws, refused):
    anonymous = aws.client("sts", config=Config(signature_version=UNSIGNED))
    main = aws.token("github", repo="acme/shop", ref="refs/heads/main")
    other = aws.token("github", repo="acme/shop", ref="refs/heads/other")
    call = anonymous.assume_role_with_web_identity
    assert call(**role(MEMBER, "deploy"), WebIdentityToken=main)["Credentials"]
    assert refused(call, **role(MEMBER, "deploy"), WebIdentityToken=other)[:2] == (403, "AccessDenied")
    assert aws.decisions()[0]["layer"] == "rcp"


def test_a_trust_policy_may_ask_who_belongs(sts, refused):
    assert sts(MEMBER, "alice").assume_role(**role(MEMBER, "members"))["Credentials"]
    assert refused(sts(OUTSIDE, "stranger").assume_role, **role(MEMBER, "members"))[1] == "AccessDenied"


def test_the_management_account_works_on_a_members_root(aws, sts, refused):
    task = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}
    chief = sts(MANAGEMENT, "chief")
    given = chief.assume_root(TargetPrincipal=MEMBER, TaskPolicyArn=task)["Credentials"]
    session = aws.client("sts", given)
    assert session.get_caller_identity()["Account"] == MEMBER

    for caller, target in ((sts(MEMBER, "alice"), MANAGEMENT), (chief, OUTSIDE), (chief, MANAGEMENT)):
        assert refused(caller.assume_root, TargetPrincipal=target, TaskPolicyArn=task)[:2] == (403, "AccessDenied")
    root = aws.client("sts", aws.credentials(account=MANAGEMENT))
    assert refused(root.assume_root, TargetPrincipal=MEMBER, TaskPolicyArn=task)[:2] == (403, "AccessDenied")
    other = {"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    assert refused(chief.assume_root, TargetPrincipal=MEMBER, TaskPolicyArn=other)[:2] == (400, "ValidationError")


def test_such_a_session_can_only_do_its_task(aws, sts, refused):
    task = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}
    given = sts(MANAGEMENT, "chief").assume_root(TargetPrincipal=MEMBER, TaskPolicyArn=task)["Credentials"]
    iam = aws.client("iam", given)
    assert refused(iam.create_user, UserName="eve")[:2] == (403, "AccessDenied")
    assert iam.get_account_summary()["SummaryMap"]


def test_a_service_linked_role_is_out_of_reach(aws, sts, refused):
    """Its services need it whatever an organization forbids: neither its people's SCPs nor its resources' RCPs apply."""
    root = aws.client("iam", aws.credentials(account=MEMBER))
    root.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    for path, layer in (("aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", "trust"), ("open", "rcp")):
        target = {"RoleArn": f"arn:aws:iam::{MEMBER}:role/{path}", "RoleSessionName": "who"}
        assert refused(sts(OUTSIDE, "stranger").assume_role, **target)[:2] == (403, "AccessDenied")
        assert [decision["layer"] for decision in aws.decisions()] == [layer]


def test_where_an_account_stands_is_a_condition_key(aws, sts):
    aws.client("sts", aws.credentials(account=MEMBER, user="alice")).assume_role(**role(MEMBER, "members"))
    tree = json.dumps(aws.decisions())
    assert "aws:PrincipalOrgPaths" in tree
    assert sts(MANAGEMENT, "chief").assume_role(**role(MEMBER, "members"))["Credentials"]
