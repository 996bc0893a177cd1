"""What IAM and Organizations refuse to save, with their codes and texts, and how principals are stored."""

from __future__ import annotations

import json

import pytest

from sts_emulator.policy.deciding.document import MalformedPolicy
from sts_emulator.policy.saving.validate import restore_principals, rewrite_principals, validate

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci/Deployer"
GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
COGNITO = "cognito-identity.amazonaws.com"


def trust(principal=None, **more):
    statement = {"Effect": "Allow", "Principal": principal or {"AWS": ROLE}, "Action": "sts:AssumeRole", **more}
    kept = {name: element for name, element in statement.items() if element is not ...}
    return json.dumps({"Version": "2012-10-17", "Statement": [kept]})


def identity(version="2012-10-17", **more):
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **more}
    kept = {name: element for name, element in statement.items() if element is not ...}
    return json.dumps({**({"Version": version} if version else {}), "Statement": kept})


def refusal(kind, text, **options):
    try:
        validate(kind, text, **options)
    except MalformedPolicy as error:
        return error
    return None


def web(provider, **condition):
    return trust({"Federated": provider}, Action="sts:AssumeRoleWithWebIdentity", **condition)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This policy contains invalid Json"),
        ("[]", "This policy contains invalid Json"),
        ('{"a": 1, "a": 2}', "This policy contains invalid Json"),
        ('{"Statement": []}', "Could not parse the policy: Statement is empty!"),
        ('{"Version": "2012-10-18", "Statement": []}', "The policy must contain a valid version string"),
        (trust(Resource="*"), "Has prohibited field Resource"),
        (trust(NotResource="*"), "AssumeRole policy must not contain resources."),
        (trust(Effect=...), "Missing required field Effect"),
        (trust(Effect="allow"), "Invalid effect: allow"),
        (trust(Principal=...), "Missing required field Principal"),
        (trust(Principal={}), "Missing required field Principal cannot be empty!"),
        (trust(Principal={"AWS": []}), "Missing required field Principal cannot be empty!"),
        (trust(Principal="*"), 'AssumeRolepolicy contained an invalid principal: "STAR":"*".'),
        (trust(Principal=ROLE), "Principal must be a JSON object."),
        (trust(Action=...), "Missing required field Action"),
        (trust(Action="s3:GetObject"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust(Action="sts:AssumeRol"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust(Action="*"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust(Action="sts:Get*"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust(Condition={"MadeUp": {"a": "b"}}), "Syntax error in policy."),
        (trust(Condition=["x"]), "Syntax error in policy."),
        (trust(Foo="x"), "Syntax error in policy."),
        (trust({"Federated": "*"}), "Federated principals must be valid domain names or SAML metadata ARNs"),
        (trust({"Federated": ""}), "Federated principals must be valid domain names or SAML metadata ARNs"),
        (trust({"Service": "amazonaws.com"}), 'Invalid principal in policy: "SERVICE":"amazonaws.com"'),
        (trust({"Service": "*"}), 'Invalid principal in policy: "SERVICE":"*"'),
        (trust({"AWS": "arn:aws:iam::*:root"}), 'Invalid principal in policy: "AWS":"arn:aws:iam::*:root"'),
        (trust({"AWS": "12345"}), 'Invalid principal in policy: "AWS":"12345"'),
        (trust({"AWS": GITHUB}), f'Invalid principal in policy: "AWS":"{GITHUB}"'),
        (web(COGNITO), "A condition block must be present for the Cognito provider"),
    ],
)
def test_refused_trust_policies(text, message):
    refused = refusal("trust", text)

    assert refused is not None
    assert (refused.code, refused.status, refused.message) == ("MalformedPolicyDocument", 400, message)


@pytest.mark.parametrize(
    "text",
    [
        trust(),
        trust({"AWS": "*"}),
        trust({"AWS": [ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/build"]}),
        trust({"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}),
        trust(Action=["sts:AssumeRole", "STS:tagsession"]),
        trust(Action="sts:Assume*"),
        trust(Action="sts:*"),
        trust(Action=..., NotAction="sts:TagSession"),
        trust(Sid="", Condition={}),
        trust(Condition={"StringEquals": {"no:such:key": ["x", 1, True]}}),
        web(f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example.org/realms/main"),
        web("accounts.google.com"),
        web(GITHUB, Effect="Deny"),
        web(COGNITO, Condition={"StringEquals": {f"{COGNITO}:aud": "us-east-1:pool"}}),
        web(GITHUB, Condition={"StringLike": {"TOKEN.actions.githubusercontent.com:SUB": ["*", "repo:o/r:*"]}}),
    ],
)
def test_accepted_trust_policies(text):
    assert refusal("trust", text) is None


@pytest.mark.parametrize(
    ("issuer", "condition"),
    [
        ("token.actions.githubusercontent.com", {"StringEquals": {"token.actions.githubusercontent.com:aud": "x"}}),
        ("token.actions.githubusercontent.com", {"StringLike": {"token.actions.githubusercontent.com:sub": "*"}}),
        ("token.actions.githubusercontent.com", {"Null": {"token.actions.githubusercontent.com:sub": "false"}}),
        ("gitlab.com", {}),
        ("app.terraform.io", {"StringEquals": {"app.terraform.io:aud": "aws.workload.identity"}}),
        ("oidc.vercel.com", {"StringEquals": {"oidc.vercel.com:sub": "x"}}),
        (
            "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d",
            {"StringEquals": {"sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d:aud": "x"}},
        ),
    ],
)
def test_shared_issuers_need_their_claim(issuer, condition):
    refused = refusal("trust", web(f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}", Condition=condition))

    assert refused is not None
    assert issuer in refused.message


@pytest.mark.parametrize(
    ("text", "bound"), [("", "greater than or equal to 1"), (" " * 131_073, "less than or equal to 131072")]
)
@pytest.mark.parametrize("kind", ["trust", "identity", "inline", "session", "scp", "rcp"])
def test_the_parameter_itself_has_bounds(kind, text, bound):
    refused = refusal(kind, text)

    assert refused.code == "ValidationError"
    assert refused.message.endswith(f"Member must have length {bound}")


def test_principals_are_asked_for():
    asked = []

    def exists(kind, principal):
        asked.append((kind, principal))
        return principal != ROLE

    refused = refusal(
        "trust", trust({"Service": "ec2.amazonaws.com", "AWS": [ACCOUNT, "*", ROLE]}), principal_exists=exists
    )

    assert refused.message == f'Invalid principal in policy: "AWS":"{ROLE}"'
    assert asked == [("AWS", ROLE)]


def test_a_dead_unique_id_cannot_be_saved():
    assert refusal("trust", trust({"AWS": "AROADEAD000000000001"}), principal_exists=lambda *_: False) is not None


def test_sts_star_can_be_switched_off():
    refused = refusal("trust", trust(Action="sts:*"), sts_wildcard=False)

    assert refused.message == "AssumeRole policy may only specify STS AssumeRole actions."


def test_a_sid_is_unique_and_alphanumeric():
    twice = json.loads(trust(Sid="A"))
    twice["Statement"] *= 2

    assert refusal("trust", json.dumps(twice)).message == "The Statement Ids in the policy are not unique"
    assert "alpha-numeric" in refusal("trust", trust(Sid="a b")).message
    assert "alpha-numeric" in refusal("identity", identity(Sid="a-b")).message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", "Syntax errors in policy."),
        (identity(version=None), "Policy document must be version 2012-10-17 or greater."),
        (identity(version="2008-10-17"), "Policy document must be version 2012-10-17 or greater."),
        (identity(version="2013-10-17"), "Syntax errors in policy."),
        (identity(Effect="denY"), "The policy failed legacy parsing"),
        (identity(Effect="Maybe"), "Syntax errors in policy."),
        (identity(Action=...), "Policy statement must contain actions."),
        (identity(Action=[]), "Policy statement must contain actions."),
        (identity(Resource=...), "Policy statement must contain resources."),
        (identity(Principal="*"), "Policy document should not specify a principal."),
        (identity(Action="GetObject"), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        (identity(Action="s3:Get:Object"), "Actions/Condition can contain only one colon."),
        (identity(Action="a a:x"), "Vendor a a is not valid"),
        (identity(Resource="bucket"), 'Resource bucket must be in ARN format or "*".'),
        (identity(Resource="arn:aws"), "Resource vendor must be fully qualified and cannot contain regexes."),
        (identity(Resource="arn:aws:s3::b"), "The policy failed legacy parsing"),
        (
            identity(Resource="arn:elsewhere:s3:::b"),
            'Partition "elsewhere" is not valid for resource "arn:elsewhere:s3:::b".',
        ),
        (
            identity(Resource="arn:aws:iam:us-east-1::role/x"),
            "IAM resource arn:aws:iam:us-east-1::role/x cannot contain region information.",
        ),
        (
            identity(Resource="arn:aws:s3:us-east-1::b"),
            "Resource arn:aws:s3:us-east-1::b can not contain region information.",
        ),
        (identity(Condition={"MadeUp": {"a": "b"}}), "Syntax errors in policy."),
        (identity(Condition={"DateLessThan": {"aws:CurrentTime": "soon"}}), "The policy failed legacy parsing"),
    ],
)
def test_refused_identity_policies(text, message):
    refused = refusal("identity", text)

    assert refused is not None
    assert (refused.code, refused.status, refused.message) == ("MalformedPolicyDocument", 400, message)


@pytest.mark.parametrize(
    "value",
    ["2019-07-01T13:20:15Z", "2016-12-13t2:00:00.593194+23", "2026-11-23T12:00:00-05:00", "-292275054", "01T", "0"],
)
def test_iam_reads_dates_leniently(value):
    assert refusal("identity", identity(Condition={"DateLessThan": {"aws:CurrentTime": value}})) is None


@pytest.mark.parametrize("value", ["2016-12-13t2:00:00+1", "234-13", "9223372036854775808", "2016-12-13t25:00", "x"])
def test_but_not_any_text(value):
    assert refusal("identity", identity(Condition={"DateLessThan": {"aws:CurrentTime": value}})) is not None


def test_inline_and_session_policies_may_be_of_the_old_language():
    assert refusal("inline", identity(version=None)) is None
    assert refusal("session", identity(version="2008-10-17")) is None


FULL_ACCESS = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def control(version="2012-10-17", **changes):
    statement = {**FULL_ACCESS, "Effect": "Deny", "Action": "sts:AssumeRole", **changes}
    kept = {name: element for name, element in statement.items() if element is not ...}
    return json.dumps({**({"Version": version} if version else {}), "Statement": [kept]})


@pytest.mark.parametrize(
    ("kind", "text", "accepted"),
    [
        ("scp", control(Principal=...), True),
        ("scp", control(), False),
        ("scp", control(Principal=..., Resource=...), False),
        ("scp", "no json", False),
        ("rcp", control(), True),
        ("rcp", control(version=None), True),
        ("rcp", control(version="2008-10-17"), True),
        ("rcp", control(version="2012-10-18"), False),
        ("rcp", control(Principal={"AWS": "*"}), True),
        ("rcp", control(Principal={"AWS": ACCOUNT}), False),
        ("rcp", control(Principal={"Service": "*"}), False),
        ("rcp", control(Action=["s3:*", "KMS:Decrypt"]), True),
        ("rcp", control(Action="*"), False),
        ("rcp", control(Action=["s3:GetObject", "*"]), False),
        ("rcp", control(Action="iam:PassRole"), False),
        ("rcp", control(Action="nothing:Get"), False),
        ("rcp", control(Action="s*:GetObject"), False),
        ("rcp", control(Effect="Allow", Action="*"), False),
        ("rcp", control(Effect="Allow"), False),
        ("rcp", control(Principal=...), False),
        ("rcp", control(Action=..., NotAction="sts:*"), False),
    ],
)
def test_control_policies(kind, text, accepted):
    # RCPs: docs/aws/organizations.md, "Resource control policies".
    refused = refusal(kind, text)

    assert (refused is None) is accepted
    if refused is not None:
        assert refused.code == "MalformedPolicyDocumentException"
        assert refused.message == (
            "The provided policy document does not meet the requirements of the specified policy type."
        )


@pytest.mark.parametrize(("kind", "principal", "quota"), [("scp", ..., 10_240), ("rcp", "*", 5120)])
def test_organizations_counts_white_space_too(kind, principal, quota):
    text = control(Principal=principal)

    assert refusal(kind, text.ljust(quota)) is None
    assert refusal(kind, text.ljust(quota + 1)).code == "ConstraintViolationException"


@pytest.mark.parametrize(
    ("kind", "code", "status", "message"),
    [
        ("trust", "LimitExceeded", 409, "Cannot exceed quota for ACLSizePerRole: 100"),
        ("identity", "LimitExceeded", 409, "Cannot exceed quota for PolicySize: 100"),
    ],
)
def test_quotas(kind, code, status, message):
    text = {"trust": trust(), "identity": identity(Resource=[f"arn:aws:s3:::bucket-{number}" for number in range(9)])}[
        kind
    ]

    refused = refusal(kind, text, quota=100)

    assert (refused.code, refused.status, refused.message) == (code, status, message)


def test_white_space_does_not_count():
    text = json.dumps(json.loads(trust()), indent=40)

    assert refusal("trust", text, quota=len("".join(text.split()))) is None
    assert refusal("trust", text, quota=len("".join(text.split())) - 1) is not None


def test_a_trust_policy_has_a_default_quota():
    many = {"AWS": [f"arn:aws:iam::{ACCOUNT}:role/{number:030}" for number in range(40)]}

    assert refusal("trust", trust(many)).message == "Cannot exceed quota for ACLSizePerRole: 2048"


def test_principals_are_stored_by_id_and_shown_by_arn():
    ids = {ROLE: "AROAEXAMPLE0000000001"}
    text = trust({"AWS": [ROLE, ACCOUNT, "arn:aws:iam::444455556666:role/Other"], "Federated": GITHUB})

    stored = rewrite_principals(text, ids.get)

    assert json.loads(stored)["Statement"][0]["Principal"] == {
        "AWS": ["AROAEXAMPLE0000000001", f"arn:aws:iam::{ACCOUNT}:root", "arn:aws:iam::444455556666:role/Other"],
        "Federated": GITHUB,
    }
    shown = restore_principals(stored, {"AROAEXAMPLE0000000001": ROLE}.get)
    assert json.loads(shown)["Statement"][0]["Principal"]["AWS"][0] == ROLE
    assert restore_principals(stored, lambda _: None) == stored


def test_condition_values_are_never_rewritten():
    text = trust({"AWS": "*"}, Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}})

    assert rewrite_principals(text, lambda _: None) == text
    assert rewrite_principals(text, {ROLE: "AROAEXAMPLE0000000001"}.get) == text


@pytest.mark.parametrize(
    ("operator", "value", "accepted"),
    [
        ("IpAddress", "192.000.002.0/24", True),
        ("IpAddress", "192.0.2.0/0", True),
        ("IpAddress", "2001:db8::/64", True),
        ("IpAddress", "${aws:SourceIp}", True),
        ("IpAddress", "192.0.2.0/33", False),
        ("IpAddress", "2001:db8::/129", False),
        ("IpAddress", "2001:db8::1/64", False),
        ("IpAddress", "::ffff:192.0.2.1", False),
        ("NotIpAddress", "192.0.2", False),
        ("NumericEquals", "1e3", True),
        ("NumericLessThan", 5, True),
        ("NumericEquals", "NaN", False),
        ("NumericLessThan", "Infinity", False),
        ("ArnLike", "arn:aws:iam::*:user/*", True),
        ("ArnLike", "*", True),
        ("ArnLike", "not-an-arn", False),
        ("ForAnyValue:ArnNotEqualsIfExists", ["arn:aws:iam::*:user/*", "x"], False),
        ("Null", "yes", True),
        ("Bool", "yes", True),
    ],
)
def test_values_that_cannot_be_read_are_not_stored(operator, value, accepted):
    # Recorded on PutUserPolicy: live-store-002 to 036. The same values were taken in a session policy, which is not stored.
    condition = {operator: {"aws:RequestTag/value": value}}

    for kind, text in (
        ("inline", identity(Condition=condition)),
        ("identity", identity(Condition=condition)),
        ("scp", identity(Effect="Deny", Condition=condition)),
        ("trust", trust(Condition=condition)),
    ):
        assert (refusal(kind, text) is None) is accepted, kind
    assert refusal("session", identity(Condition=condition)) is None


@pytest.mark.parametrize("partition", ["aws-us-gov", "aws-cn", "foo"])
def test_a_foreign_partition_is_refused(partition):
    # terraform-aws-modules/terraform-aws-iam#39 and #224 (a resource), DataDog/cloudformation-template#71 (a principal).
    resource, root = f"arn:{partition}:s3:::bucket/*", f"arn:{partition}:iam::{ACCOUNT}:root"

    for kind in ("inline", "identity", "session"):
        assert refusal(kind, identity(Resource=resource)).message == (
            f'Partition "{partition}" is not valid for resource "{resource}".'
        )
    assert refusal("trust", trust({"AWS": root})).message == f'Invalid principal in policy: "AWS":"{root}"'
    assert refusal("trust", web(GITHUB.replace(":aws:", f":{partition}:"))) is not None


@pytest.mark.parametrize("end", ["root/", "user/", "role", "user/a/"])
def test_a_principal_of_no_name_is_refused(end):
    assert refusal("trust", trust({"AWS": f"arn:aws:iam::{ACCOUNT}:{end}"})) is not None


@pytest.mark.parametrize("service", ["lamda.amazonaws.com", "ec2.amazonaw.com", "logs.eu-west.amazonaws.com"])
def test_a_misspelt_service_is_refused_by_whoever_asks(service):
    refused = refusal("trust", trust({"Service": service}))

    assert refused.message == f'Invalid principal in policy: "SERVICE":"{service}"'


def test_missing_resources_are_told_before_a_bad_action():
    # Recorded on CreatePolicy; a resource of a bad form is told before a bad action as well (moto's order).
    assert refusal("identity", identity(Action="invalid", Resource=...)).message == (
        "Policy statement must contain resources."
    )
    assert refusal("identity", identity(Action="invalid", Resource="x")).message.startswith("Resource x must be in ARN")
    assert refusal("identity", identity(Action="invalid")).message.startswith("Actions/Conditions must be prefaced")
