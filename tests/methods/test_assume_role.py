"""AssumeRole as the manual tells it: who may, for how long, under which names and tags.

Texts and their order are the recorded ones of docs/aws/sts.md, "Durations" to "Denials of AssumeRole".
"""

from __future__ import annotations

import json
import secrets
from email.utils import parsedate_to_datetime

import pytest
from botocore.config import Config

HOME, AWAY = "111122223333", "444455556666"
ALICE = f"arn:aws:iam::{HOME}:user/staff/alice"
TRUSTED = f"arn:aws:iam::{HOME}:role/account-trusted"
PLAIN = f"arn:aws:iam::{HOME}:role/team/a/plain"
LONG = f"arn:aws:iam::{HOME}:role/long"
OPEN = f"arn:aws:iam::{AWAY}:role/open"
GUARDED = f"arn:aws:iam::{AWAY}:role/guarded"

pytestmark = pytest.mark.scenario("sts_world.yaml")


def denied(who: str, resource: str, action: str = "sts:AssumeRole", suffix: str = "") -> tuple[int, str, str]:
    return 403, "AccessDenied", f"User: {who} is not authorized to perform: {action} on resource: {resource}{suffix}"


@pytest.fixture
def alice(aws):
    return aws.client("sts", user="alice")


@pytest.fixture
def chained(aws, alice):
    """An STS client with the credentials of a role session."""
    vended = alice.assume_role(RoleArn=TRUSTED, RoleSessionName="first")
    return aws.client("sts", vended["Credentials"])


# -- who may ------------------------------------------------------------------------------------------------------


def test_a_session_is_named_without_the_roles_path(aws, alice):
    vended = alice.assume_role(RoleArn=PLAIN, RoleSessionName="who")
    user = vended["AssumedRoleUser"]
    assert user["Arn"] == f"arn:aws:sts::{HOME}:assumed-role/plain/who"
    assert user["AssumedRoleId"].startswith("AROA")
    assert user["AssumedRoleId"].endswith(":who")
    assert "PackedPolicySize" not in vended
    identity = aws.client("sts", vended["Credentials"]).get_caller_identity()
    assert (identity["Arn"], identity["UserId"]) == (user["Arn"], user["AssumedRoleId"])


def test_a_trusted_account_still_needs_the_callers_own_permission(aws, refused):
    bob = aws.client("sts", user="bob")
    suffix = " because no identity-based policy allows the sts:AssumeRole action"
    assert refused(bob.assume_role, RoleArn=TRUSTED, RoleSessionName="bob") == denied(
        f"arn:aws:iam::{HOME}:user/bob", TRUSTED, suffix=suffix
    )


def test_a_trust_policy_that_names_the_user_is_enough(aws):
    bob = aws.client("sts", user="bob")
    assert bob.assume_role(RoleArn=f"arn:aws:iam::{HOME}:role/names-bob", RoleSessionName="bob")["Credentials"]


def test_an_explicit_deny_wins(aws, refused):
    dora = aws.client("sts", user="dora")
    assert refused(dora.assume_role, RoleArn=TRUSTED, RoleSessionName="dora") == denied(
        f"arn:aws:iam::{HOME}:user/dora", TRUSTED, suffix=" with an explicit deny in an identity-based policy"
    )


def test_a_role_that_does_not_exist_looks_like_one_that_does_not_trust(alice, refused):
    for arn in (f"arn:aws:iam::{HOME}:role/nope", f"arn:aws:iam::{AWAY}:role/nope", PLAIN.replace("team/a/", "")):
        assert refused(alice.assume_role, RoleArn=arn, RoleSessionName="who") == denied(ALICE, arn)


def test_role_names_are_case_sensitive_in_arns(alice, refused):
    arn = TRUSTED.replace("account-trusted", "Account-Trusted")
    assert refused(alice.assume_role, RoleArn=arn, RoleSessionName="who") == denied(ALICE, arn)


def test_across_accounts_both_sides_must_allow_and_nothing_is_explained(aws, alice, refused):
    assert alice.assume_role(RoleArn=OPEN, RoleSessionName="who")["Credentials"]
    bob = aws.client("sts", user="bob")
    assert refused(bob.assume_role, RoleArn=OPEN, RoleSessionName="who") == denied(
        f"arn:aws:iam::{HOME}:user/bob", OPEN
    )


@pytest.mark.parametrize("extra", [{}, {"ExternalId": "other"}])
def test_the_external_id_is_tested_by_the_trust_policy(alice, refused, extra):
    assert refused(alice.assume_role, RoleArn=GUARDED, RoleSessionName="who", **extra) == denied(ALICE, GUARDED)
    assert alice.assume_role(RoleArn=GUARDED, RoleSessionName="who", ExternalId="agreed")["Credentials"]


def test_root_assumes_no_role(aws, refused):
    root = aws.client("sts")
    assert refused(root.assume_role, RoleArn=TRUSTED, RoleSessionName="root") == (
        403,
        "AccessDenied",
        "Roles may not be assumed by root accounts.",
    )


def test_a_role_does_not_trust_itself_unless_it_says_so(aws, refused):
    arn = f"arn:aws:iam::{HOME}:role/names-bob"
    vended = aws.client("sts", user="bob").assume_role(RoleArn=arn, RoleSessionName="first")
    itself = aws.client("sts", vended["Credentials"])
    assert refused(itself.assume_role, RoleArn=arn, RoleSessionName="again") == denied(
        f"arn:aws:sts::{HOME}:assumed-role/names-bob/first", arn
    )


def test_a_recreated_role_is_another_one(aws, alice, refused):
    """The trust policy keeps the unique id; a namesake does not match, and old sessions are dead."""
    vended = alice.assume_role(RoleArn=PLAIN, RoleSessionName="old")
    iam = aws.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": PLAIN}, "Action": "sts:AssumeRole"}],
    }
    iam.create_role(RoleName="trusts-plain", AssumeRolePolicyDocument=json.dumps(trust))

    iam.delete_role(RoleName="plain")
    open_trust = json.dumps({**trust, "Statement": [{**trust["Statement"][0], "Principal": {"AWS": HOME}}]})
    iam.create_role(RoleName="plain", Path="/team/a/", AssumeRolePolicyDocument=open_trust)

    assert refused(aws.client("sts", vended["Credentials"]).get_caller_identity) == (
        403,
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    )
    stored = iam.get_role(RoleName="trusts-plain")["Role"]["AssumeRolePolicyDocument"]
    assert stored["Statement"][0]["Principal"]["AWS"].startswith("AROA")
    new = aws.client("sts", alice.assume_role(RoleArn=PLAIN, RoleSessionName="new")["Credentials"])
    arn = f"arn:aws:iam::{HOME}:role/trusts-plain"
    assert refused(new.assume_role, RoleArn=arn, RoleSessionName="who")[:2] == (403, "AccessDenied")


# -- how long -----------------------------------------------------------------------------------------------------

TOO_LONG = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
CHAINED = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."


def bound(value: int, limit: str) -> str:
    return (
        f"1 validation error detected: Value '{value}' at 'durationSeconds' failed to satisfy constraint: "
        f"Member must have value {limit}"
    )


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (899, bound(899, "greater than or equal to 900")),
        (43201, bound(43201, "less than or equal to 43200")),
        (7201, TOO_LONG),
    ],
)
def test_durations_have_limits(aws, refused, seconds, message):
    alice = aws.client("sts", user="alice", config=Config(parameter_validation=False))
    assert refused(alice.assume_role, RoleArn=TRUSTED, RoleSessionName="who", DurationSeconds=seconds) == (
        400,
        "ValidationError",
        message,
    )


def test_chaining_ends_after_an_hour_and_the_roles_own_limit_is_told_first(chained, refused):
    arguments = {"RoleArn": LONG, "RoleSessionName": "second"}
    assert chained.assume_role(**arguments, DurationSeconds=3600)["Credentials"]
    assert refused(chained.assume_role, **arguments, DurationSeconds=3601) == (400, "ValidationError", CHAINED)
    own = {**arguments, "RoleArn": TRUSTED}
    assert refused(chained.assume_role, **own, DurationSeconds=7201) == (400, "ValidationError", TOO_LONG)


def test_the_expiration_is_the_duration_from_now(alice):
    vended = alice.assume_role(RoleArn=LONG, RoleSessionName="who", DurationSeconds=43200)
    date = vended["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert 43140 < (vended["Credentials"]["Expiration"] - parsedate_to_datetime(date)).total_seconds() <= 43200


# -- tags ---------------------------------------------------------------------------------------------------------


def tags(**pairs):
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"Tags": tags(a="1"), "TransitiveTagKeys": ["b"]},
            "The specified transitive tag key must be included in the requested tags.",
        ),
        ({"Tags": tags(a="1", A="2")}, "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
        ({"Tags": tags(**{"AWS:team": "1"})}, "Tag keys beginning with aws: are reserved for system use."),
    ],
)
def test_mistakes_in_tags(alice, refused, arguments, message):
    assert refused(alice.assume_role, RoleArn=TRUSTED, RoleSessionName="who", **arguments) == (
        400,
        "InvalidParameterValue",
        message,
    )


def test_transitive_tags_travel_and_cannot_be_replaced(aws, alice, refused):
    first = alice.assume_role(
        RoleArn=TRUSTED, RoleSessionName="first", Tags=tags(Project="x", Left="behind"), TransitiveTagKeys=["project"]
    )
    assert first["PackedPolicySize"] > 0
    sts = aws.client("sts", first["Credentials"])
    conflict = (
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the "
        "calling session."
    )
    assert refused(sts.assume_role, RoleArn=LONG, RoleSessionName="second", Tags=tags(PROJECT="y")) == (
        400,
        "InvalidParameterValue",
        conflict,
    )
    second = sts.assume_role(RoleArn=LONG, RoleSessionName="second")
    # the second session still bears the transitive tag, and not the other
    third = aws.client("sts", second["Credentials"])
    refused(third.assume_role, RoleArn=LONG, RoleSessionName="third")
    context = aws.decisions()[0]["explanation"]["request"]["context"]
    assert context["aws:principaltag/project"] == ["x"]
    assert "aws:principaltag/left" not in context


def test_tags_need_a_permission_of_their_own(alice, refused):
    assert refused(alice.assume_role, RoleArn=PLAIN, RoleSessionName="who", Tags=tags(a="1")) == denied(
        ALICE, PLAIN, "sts:TagSession"
    )


# -- source identity ----------------------------------------------------------------------------------------------


def test_a_source_identity_stays_through_the_chain(aws, alice, refused):
    first = alice.assume_role(RoleArn=TRUSTED, RoleSessionName="first", SourceIdentity="alice")
    assert first["SourceIdentity"] == "alice"
    sts = aws.client("sts", first["Credentials"])
    assert sts.assume_role(RoleArn=LONG, RoleSessionName="second")["SourceIdentity"] == "alice"
    assert sts.assume_role(RoleArn=LONG, RoleSessionName="second", SourceIdentity="alice")["SourceIdentity"] == "alice"
    status, code, _ = refused(sts.assume_role, RoleArn=LONG, RoleSessionName="second", SourceIdentity="somebody")
    assert (status, code) == (403, "AccessDenied")


def test_a_source_identity_needs_a_permission_even_when_it_is_inherited(aws, alice, refused):
    assert refused(alice.assume_role, RoleArn=PLAIN, RoleSessionName="who", SourceIdentity="alice") == denied(
        ALICE, PLAIN, "sts:SetSourceIdentity"
    )
    first = alice.assume_role(RoleArn=TRUSTED, RoleSessionName="first", SourceIdentity="alice")
    sts = aws.client("sts", first["Credentials"])
    assert refused(sts.assume_role, RoleArn=PLAIN, RoleSessionName="second") == denied(
        f"arn:aws:sts::{HOME}:assumed-role/account-trusted/first", PLAIN, "sts:SetSourceIdentity"
    )


# -- session policies ---------------------------------------------------------------------------------------------

LIST_ONLY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}]}
)


def test_a_session_policy_only_narrows(aws, alice, refused):
    vended = alice.assume_role(RoleArn=TRUSTED, RoleSessionName="who", Policy=LIST_ONLY)
    assert 0 < vended["PackedPolicySize"] <= 100
    iam = aws.client("iam", vended["Credentials"])
    assert iam.list_roles()["Roles"]
    status, code, message = refused(iam.get_user, UserName="bob")
    assert (status, code) == (403, "AccessDenied")
    assert "because no session policy allows the iam:GetUser action" in message


def test_a_session_policy_takes_no_part_in_the_call_that_carries_it(alice):
    assert alice.assume_role(RoleArn=TRUSTED, RoleSessionName="who", Policy=LIST_ONLY)["Credentials"]


@pytest.mark.parametrize("policy", ["{", '{"Version":"2012-10-17"}', '{"Statement":[{"Effect":"Maybe"}]}'])
def test_a_malformed_session_policy_is_refused(alice, refused, policy):
    status, code, _ = refused(alice.assume_role, RoleArn=TRUSTED, RoleSessionName="who", Policy=policy)
    assert (status, code) == (400, "MalformedPolicyDocument")


def test_what_does_not_fit_is_refused(alice, refused):
    many = [{"Key": f"k{n}", "Value": secrets.token_hex(100)} for n in range(50)]
    status, code, message = refused(alice.assume_role, RoleArn=TRUSTED, RoleSessionName="who", Tags=many)
    assert (status, code) == (400, "PackedPolicyTooLarge")
    assert message.startswith("Packed size of session tags consumes ")
    assert message.endswith("% of allotted space.")


# -- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arn", ["arn::b:::something/test-role", "arn:a:a::aaaaaaaaaa:", "nothing-valid-in-here"])
def test_what_is_no_arn_is_quoted_back(alice, refused, arn):
    status, code, message = refused(alice.assume_role, RoleArn=arn, RoleSessionName="who")
    assert (status, code, message) == (400, "ValidationError", f"{arn} is invalid")


def test_an_arn_of_something_else_is_refused(alice, refused):
    arn = f"arn:aws:iam::{HOME}:saml-provider/corp"
    assert refused(alice.assume_role, RoleArn=arn, RoleSessionName="who") == (
        400,
        "ValidationError",
        "Request ARN is invalid",
    )


# -- revocation ---------------------------------------------------------------------------------------------------


def test_sessions_are_revoked_by_their_issue_time(aws, alice, refused):
    """What the console's `Revoke active sessions` does: a Deny on aws:TokenIssueTime."""
    arn = f"arn:aws:iam::{HOME}:role/revoked"
    old = aws.client("iam", alice.assume_role(RoleArn=arn, RoleSessionName="old")["Credentials"])
    assert old.list_roles()["Roles"]
    aws.advance(minutes=5)
    old.list_roles()
    older = {"DateLessThan": {"aws:TokenIssueTime": aws.events()[-1]["eventTime"]}}
    revoke = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": older}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [revoke]})
    aws.client("iam").put_role_policy(RoleName="revoked", PolicyName="AWSRevokeOlderSessions", PolicyDocument=policy)
    aws.advance(seconds=5)

    status, code, message = refused(old.list_roles)
    assert (status, code) == (403, "AccessDenied")
    assert "with an explicit deny in an identity-based policy" in message
    new = aws.client("iam", alice.assume_role(RoleArn=arn, RoleSessionName="new")["Credentials"])
    assert new.list_roles()["Roles"]
