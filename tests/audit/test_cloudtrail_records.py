"""Records that detection rules can be tested on, through LookupEvents and as the event log hands them out.

What each rule expects is docs/aws/cloudtrail.md's; the headings are named where a test stands for one.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from botocore.exceptions import ClientError

DEV, PROD = "111122223333", "444455556666"
DEVELOPER = f"arn:aws:iam::{DEV}:role/team/Developer"
STAFF = f"arn:aws:iam::{DEV}:role/Staff"
RELEASE = f"arn:aws:iam::{PROD}:role/Release"
DEPLOY = f"arn:aws:iam::{DEV}:role/Deploy"
GITHUB = f"arn:aws:iam::{DEV}:oidc-provider/token.actions.githubusercontent.com"
CORP = f"arn:aws:iam::{DEV}:saml-provider/corp"
SUBJECT = "repo:acme/shop:ref:refs/heads/main"
LAB = f"""
issuers:
  github: {{preset: github}}
saml_idps:
  corp:
    users:
      jane: {{roles: "{STAFF}", source_identity: jane, tags: {{team: shop}}, transitive: team}}
accounts:
  "{DEV}":
    alias: acme-audit
    oidc_providers: [{{issuer: github, client_ids: sts.amazonaws.com}}]
    saml_providers: {{corp: {{idp: corp}}}}
    users:
      alice:
        inline: {{all: [{{Effect: Allow, Action: "*", Resource: "*"}}]}}
      bob: {{}}
    roles:
      Developer:
        path: /team/
        trust:
          - Effect: Allow
            Principal: {{AWS: "arn:aws:iam::{DEV}:root"}}
            Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
        inline: {{all: [{{Effect: Allow, Action: "*", Resource: "*"}}]}}
      Staff:
        trust:
          - Effect: Allow
            Principal: {{Federated: "{CORP}"}}
            Action: ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]
        inline: {{all: [{{Effect: Allow, Action: "*", Resource: "*"}}]}}
      Deploy:
        trust:
          - Effect: Allow
            Principal: {{Federated: "{GITHUB}"}}
            Action: sts:AssumeRoleWithWebIdentity
            Condition: {{StringEquals: {{"token.actions.githubusercontent.com:sub": "{SUBJECT}"}}}}
  "{PROD}":
    roles:
      Release:
        trust:
          - {{Effect: Allow, Principal: {{AWS: "arn:aws:iam::{DEV}:root"}}, Action: "sts:*"}}
"""
STS_DATE = re.compile(r"[A-Z][a-z]{2} \d{1,2}, \d{4}, \d{1,2}:\d{2}:\d{2} [AP]M")
IAM_DATE = re.compile(r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d{2}:\d{2} [AP]M")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

pytestmark = pytest.mark.scenario(LAB)


class Trail:
    """What LookupEvents tells an account."""

    def __init__(self, aws) -> None:
        self.aws = aws

    def events(self, account: str = DEV, **filters) -> list[dict]:
        client = self.aws.client("cloudtrail", self.aws.credentials(account=account))
        return client.lookup_events(**filters)["Events"]

    def named(self, name: str, account: str = DEV) -> dict:
        newest, *_ = self.events(account, LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}])
        return newest

    def record(self, name: str, account: str = DEV) -> dict:
        return json.loads(self.named(name, account)["CloudTrailEvent"])


@pytest.fixture
def trail(aws) -> Trail:
    return Trail(aws)


def assumed(aws, role: str, *, credentials=None, **options):
    sts = aws.client("sts", credentials, user="" if credentials else "alice")
    return sts.assume_role(RoleArn=role, RoleSessionName="deploy", **options)["Credentials"]


def by_github(aws, *, role: str = DEPLOY, ref: str = "refs/heads/main"):
    token = aws.token("github", repo="acme/shop", ref=ref)
    return aws.client("sts").assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="build", WebIdentityToken=token
    )["Credentials"]


def by_saml(aws):
    assertion = aws.page("POST", "idp/corp/assertions", body={"user": "jane"})["SAMLResponse"]
    return aws.client("sts").assume_role_with_saml(RoleArn=STAFF, PrincipalArn=CORP, SAMLAssertion=assertion)[
        "Credentials"
    ]


# -- both accounts ------------------------------------------------------------------------------------------------


def test_a_role_of_another_account_leaves_an_event_in_both(aws, trail):
    """docs/aws/cloudtrail.md, "Both accounts"."""
    assumed(aws, RELEASE)

    here, there = trail.record("AssumeRole"), trail.record("AssumeRole", PROD)

    assert here["sharedEventID"] == there["sharedEventID"]
    assert len({here["eventID"], there["eventID"], here["requestID"], here["sharedEventID"]}) == 4
    assert (here["recipientAccountId"], there["recipientAccountId"]) == (DEV, PROD)
    assert here["userIdentity"]["type"] == "IAMUser"
    assert there["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": here["userIdentity"]["principalId"],
        "accountId": DEV,
    }
    assert there["resources"] == [{"accountId": PROD, "type": "AWS::IAM::Role", "ARN": RELEASE}]
    assert there["requestParameters"]["roleArn"] == RELEASE


def test_a_role_of_the_own_account_leaves_one_event(aws, trail):
    assumed(aws, DEVELOPER)

    assert "sharedEventID" not in trail.record("AssumeRole")
    assert [event["eventName"] for event in aws.events()].count("AssumeRole") == 1


# -- identities ---------------------------------------------------------------------------------------------------


def test_a_session_names_its_role(aws, trail):
    """docs/aws/cloudtrail.md, "Identities"."""
    session = assumed(aws, DEVELOPER, SourceIdentity="alice")
    aws.client("sts", session).get_caller_identity()

    identity = trail.record("GetCallerIdentity")["userIdentity"]

    role = aws.client("iam").get_role(RoleName="Developer")["Role"]
    assert identity["type"] == "AssumedRole"
    assert identity["principalId"] == f"{role['RoleId']}:deploy"
    assert identity["arn"] == f"arn:aws:sts::{DEV}:assumed-role/Developer/deploy"
    assert identity["accessKeyId"] == session["AccessKeyId"]
    assert identity["sessionContext"]["sessionIssuer"] == {
        "type": "Role",
        "principalId": role["RoleId"],
        "arn": DEVELOPER,
        "accountId": DEV,
        "userName": "Developer",
    }
    assert identity["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"
    assert identity["sessionContext"]["sourceIdentity"] == "alice"
    assert "userName" not in identity


def test_a_federated_users_session_names_the_user_who_vouched(aws, trail):
    policy = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    made = aws.client("sts", user="alice").get_federation_token(Name="fred", Policy=policy)["Credentials"]
    aws.client("sts", made).get_caller_identity()

    identity = trail.record("GetCallerIdentity")["userIdentity"]

    alice = aws.client("iam").get_user(UserName="alice")["User"]
    assert (identity["type"], identity["principalId"]) == ("FederatedUser", f"{DEV}:fred")
    assert identity["sessionContext"]["sessionIssuer"] == {
        "type": "IAMUser",
        "principalId": alice["UserId"],
        "arn": alice["Arn"],
        "accountId": DEV,
        "userName": "alice",
    }


def test_root_is_named_root(aws, trail):
    aws.client("sts").get_caller_identity()

    identity = trail.record("GetCallerIdentity")["userIdentity"]

    assert (identity["type"], identity["principalId"], identity["arn"]) == ("Root", DEV, f"arn:aws:iam::{DEV}:root")
    assert "sessionContext" not in identity


def test_a_web_identity_is_named_by_provider_audience_and_subject(aws, trail):
    session = by_github(aws)
    aws.client("sts", session).get_caller_identity()

    record = trail.record("AssumeRoleWithWebIdentity")

    assert record["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{GITHUB}:sts.amazonaws.com:{SUBJECT}",
        "userName": SUBJECT,
        "identityProvider": GITHUB,
    }
    assert "webIdentityToken" not in record["requestParameters"]
    assert record["resources"] == [{"accountId": DEV, "type": "AWS::IAM::Role", "ARN": DEPLOY}]
    context = trail.record("GetCallerIdentity")["userIdentity"]["sessionContext"]
    assert context["webIdFederationData"]["federatedProvider"] == GITHUB


@pytest.mark.parametrize(
    ("role", "ref"), [(DEPLOY, "refs/heads/feature"), (f"arn:aws:iam::{DEV}:role/None", "refs/heads/main")]
)
def test_a_refused_web_identity_is_known_and_told_nothing(aws, trail, role, ref):
    """docs/aws/cloudtrail.md, "Error codes"."""
    with pytest.raises(ClientError, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"):
        by_github(aws, role=role, ref=ref)

    record = trail.record("AssumeRoleWithWebIdentity")

    assert (record["errorCode"], record["errorMessage"]) == ("AccessDenied", "An unknown error occurred")
    assert record["userIdentity"]["type"] == "WebIdentityUser"
    assert record["userIdentity"]["userName"] == f"repo:acme/shop:ref:{ref}"
    assert record["recipientAccountId"] == DEV


def test_a_saml_identity_is_named_by_qualifier_and_subject(aws, trail):
    by_saml(aws)

    record = trail.record("AssumeRoleWithSAML")

    qualifier = record["responseElements"]["nameQualifier"]
    assert record["userIdentity"] == {
        "type": "SAMLUser",
        "principalId": f"{qualifier}:jane",
        "userName": "jane",
        "identityProvider": qualifier,
    }
    asked = record["requestParameters"]
    assert "sAMLAssertion" not in asked
    assert asked.pop("sAMLAssertionID")
    assert asked == {
        "roleArn": STAFF,
        "principalArn": CORP,
        "roleSessionName": "jane",
        "durationSeconds": 3600,
        "principalTags": {"team": "shop"},
        "transitiveTagKeys": ["team"],
        "sourceIdentity": "jane",
    }
    assert record["resources"] == [
        {"accountId": DEV, "type": "AWS::IAM::Role", "ARN": STAFF},
        {"accountId": DEV, "type": "AWS::IAM::SAMLProvider", "ARN": CORP},
    ]


def test_tags_that_come_along_are_named(aws, trail):
    assumed(aws, RELEASE, credentials=by_saml(aws))

    asked = trail.record("AssumeRole")["requestParameters"]

    assert asked["incomingTransitiveTags"] == {"team": "shop"}


# -- answers, dates, secrets, errors ------------------------------------------------------------------------------


def test_sts_writes_dates_with_two_commas_and_no_secret(aws, trail):
    """docs/aws/cloudtrail.md, "Members of a record" and "Secrets"."""
    given = assumed(aws, DEVELOPER)

    credentials = trail.record("AssumeRole")["responseElements"]["credentials"]

    assert STS_DATE.fullmatch(credentials["expiration"])
    assert set(credentials) == {"accessKeyId", "sessionToken", "expiration"}
    assert credentials["accessKeyId"] == given["AccessKeyId"]


def test_iam_writes_dates_with_one_comma_and_no_secret(aws, trail):
    made = aws.client("iam").create_access_key(UserName="bob")["AccessKey"]

    key = trail.record("CreateAccessKey")["responseElements"]["accessKey"]

    assert IAM_DATE.fullmatch(key["createDate"])
    assert set(key) == {"accessKeyId", "createDate", "status", "userName"}
    assert made["SecretAccessKey"] not in json.dumps(aws.events())


def test_a_password_is_not_recorded(aws, trail):
    aws.client("iam").create_login_profile(UserName="bob", Password="correct horse 1 Battery!")

    assert trail.record("CreateLoginProfile")["requestParameters"] == {"userName": "bob"}


def test_iam_names_the_exception(aws, trail):
    for call in ("get_user", "delete_user"):
        with pytest.raises(ClientError, match="NoSuchEntity"):
            getattr(aws.client("iam"), call)(UserName="nobody")
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("iam", user="bob").create_user(UserName="eve")

    assert trail.record("GetUser")["errorCode"] == "NoSuchEntityException"
    assert trail.record("DeleteUser")["errorCode"] == "NoSuchEntityException"
    assert trail.record("CreateUser")["errorCode"] == "AccessDenied"


# -- signing in ---------------------------------------------------------------------------------------------------


def test_signing_in_to_the_console_is_a_sign_in(aws, trail):
    """docs/aws/cloudtrail.md, "ConsoleLogin"."""
    assertion = aws.page("POST", "idp/corp/assertions", body={"user": "jane"})["SAMLResponse"]
    httpx.post(f"{aws.endpoint_url}/saml", data={"SAMLResponse": assertion, "RelayState": ""}, verify=False)

    record = trail.record("ConsoleLogin")

    assert (record["eventType"], record["eventSource"]) == ("AwsConsoleSignIn", "signin.amazonaws.com")
    assert record["responseElements"] == {"ConsoleLogin": "Success"}
    assert record["requestParameters"] is None
    assert record["readOnly"] is False
    added = record["additionalEventData"]
    assert added["LoginTo"].startswith("https://console.aws.amazon.com/")
    assert (added["MobileVersion"], added["MFAUsed"], added["SamlProviderArn"]) == ("No", "No", CORP)


# -- LookupEvents -------------------------------------------------------------------------------------------------


def test_events_of_access_keys_name_the_key_and_the_user(aws, trail):
    """docs/aws/cloudtrail.md, "LookupEvents"."""
    iam = aws.client("iam")
    key = iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName="bob", AccessKeyId=key, Status="Inactive")
    iam.delete_access_key(UserName="bob", AccessKeyId=key)

    for name in ("CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"):
        named = {(part["ResourceType"], part["ResourceName"]) for part in trail.named(name)["Resources"]}
        assert named == {("AWS::IAM::AccessKey", key), ("AWS::IAM::User", "bob")}


def test_reads_are_told_from_writes(aws, trail):
    aws.client("sts").get_caller_identity()
    assumed(aws, DEVELOPER)
    aws.client("iam").create_user(UserName="eve")
    aws.client("sts", user="alice").get_federation_token(Name="fred")

    def names(value: str) -> set[str]:
        wanted = [{"AttributeKey": "ReadOnly", "AttributeValue": value}]
        return {event["EventName"] for event in trail.events(LookupAttributes=wanted)}

    assert {"GetCallerIdentity", "AssumeRole"} <= names("true")
    assert {"CreateUser", "GetFederationToken"} == names("false")


# -- every operation ----------------------------------------------------------------------------------------------

PAST, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
CALLS = [  # service, call, arguments, whether it reads, whether it has responseElements
    ("sts", "get_caller_identity", {}, True, False),
    ("sts", "get_access_key_info", {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}, True, False),
    ("sts", "get_session_token", {}, True, True),
    ("sts", "get_federation_token", {"Name": "fred"}, False, True),
    ("iam", "list_users", {}, True, False),
    ("iam", "get_user", {"UserName": "bob"}, True, False),
    ("iam", "get_account_summary", {}, True, False),
    ("iam", "create_user", {"UserName": "eve"}, False, True),
    ("iam", "tag_user", {"UserName": "bob", "Tags": [{"Key": "team", "Value": "x"}]}, False, False),
    ("iam", "create_group", {"GroupName": "staff"}, False, True),
    ("iam", "create_virtual_mfa_device", {"VirtualMFADeviceName": "phone"}, False, True),
    ("iam", "create_account_alias", {"AccountAlias": "acme-lab"}, False, False),
    ("iam", "delete_account_alias", {"AccountAlias": "acme-audit"}, False, False),
    ("iam", "generate_credential_report", {}, True, False),
    ("organizations", "describe_organization", {}, True, False),
    ("rolesanywhere", "list_profiles", {}, True, False),
    ("cloudtrail", "lookup_events", {"StartTime": PAST, "EndTime": FUTURE}, True, False),
]


@pytest.mark.parametrize(("service", "call", "arguments", "reads", "answers"), CALLS, ids=[row[1] for row in CALLS])
def test_every_record_holds_what_a_strict_reader_expects(aws, service, call, arguments, reads, answers):
    user = "alice" if service in ("sts", "iam") else ""
    with contextlib.suppress(ClientError):  # an organization that is not there is recorded too
        getattr(aws.client(service, user=user), call)(**arguments)

    record = aws.events()[-1]

    assert strict(record) == []
    assert record["readOnly"] is reads
    assert (record["responseElements"] is not None) is answers
    assert not [text for text in texts(record["responseElements"]) if re.match(r"\d{4}-\d\d-\d\dT", text)]


def strict(record: dict) -> list[str]:
    """What a reader who knows CloudTrail's members, their types and no others would stumble over."""
    known = {
        **dict.fromkeys(("eventVersion", "eventTime", "eventSource", "eventName", "awsRegion"), str),
        **dict.fromkeys(("sourceIPAddress", "userAgent", "requestID", "eventID", "eventType", "eventCategory"), str),
        **dict.fromkeys(("recipientAccountId", "sharedEventID", "errorCode", "errorMessage"), str),
        **dict.fromkeys(("userIdentity", "requestParameters", "responseElements", "additionalEventData"), dict),
        **dict.fromkeys(("readOnly", "managementEvent"), bool),
        "resources": list,
    }
    optional = {"recipientAccountId", "sharedEventID", "errorCode", "errorMessage", "resources"}
    may_be_null = {"requestParameters", "responseElements"}
    wrong = [f"unknown member {name}" for name in record if name not in known]
    wrong += [f"no {name}" for name in known if name not in record and name not in optional]
    for name, kind in known.items():
        value = record.get(name)
        if name in record and not isinstance(value, kind) and not (value is None and name in may_be_null):
            wrong.append(f"{name}: {value!r}")
    if record["requestParameters"] == {}:
        wrong.append("requestParameters is {} and not null")
    if record["eventID"] == record["requestID"] or not UUID.fullmatch(record["eventID"]):
        wrong.append("eventID")
    return wrong


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


def test_an_event_is_found_by_either_of_its_ids(aws):
    aws.client("sts").get_caller_identity()
    record = aws.events()[-1]

    for known in (record["eventID"], record["requestID"]):
        assert "GetCallerIdentity" in aws.explain(known)
