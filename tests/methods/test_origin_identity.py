"""Who it was originally: the claims of a token stay with every session that comes of it, and policies ask for them.

What is set up and shown is AWS's model; which claims are refused is our strict reading where AWS's is not known
(docs/aws/trusted-identity-propagation.md, "With IAM").
"""

from __future__ import annotations

import json
from random import Random
from typing import ClassVar

import jwt
import pytest
from botocore import UNSIGNED
from botocore.config import Config

pytestmark = pytest.mark.scenario("origin.yaml")

DEV, PROD = "111122223333", "444455556666"
GITHUB = f"arn:aws:iam::{DEV}:oidc-provider/token.actions.githubusercontent.com"
CORP = f"arn:aws:iam::{DEV}:oidc-provider/idp.example.com"
MAIN = "repo:acme/shop:ref:refs/heads/main"
SETTINGS = {
    "SubjectSourceKey": "sub",
    "SubjectTypeValue": "workload",
    "KeyDefinitionList": [{"SourceKey": "repository", "TargetKey": "Repo"}, {"SourceKey": "run_id"}],
}


def role(name: str, account: str = DEV) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


@pytest.fixture
def iam(aws):
    return aws.client("iam", aws.credentials(account=DEV))


@pytest.fixture
def propagating(iam):
    iam.update_open_id_connect_provider(OpenIDConnectProviderArn=GITHUB, ContextProvider=SETTINGS)


@pytest.fixture
def corp(iam):
    """`corp(**settings)`: the company's issuer propagates what they say."""

    def settings(**given):
        iam.update_open_id_connect_provider(OpenIDConnectProviderArn=CORP, ContextProvider=given)

    return settings


@pytest.fixture
def login(aws):
    sts = aws.client("sts", config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}))

    def call(token: str = "") -> dict:
        given = token or aws.token("github", repo="acme/shop", branch="main")
        return sts.assume_role_with_web_identity(RoleArn=role("first"), RoleSessionName="job", WebIdentityToken=given)

    return call


@pytest.fixture
def chain(aws):
    """`chain(credentials, *roles)`: the credentials at the end of AssumeRole after AssumeRole."""

    def follow(credentials: dict, *names: str, **more) -> dict:
        for name in names:
            arn = name if name.startswith("arn:") else role(name)
            answer = aws.client("sts", credentials).assume_role(RoleArn=arn, RoleSessionName="hop", **more)
            assert "TrustedIdentityPropagationContext" not in answer
            credentials = answer["Credentials"]
        return credentials

    return follow


def only_if(iam, name: str, **condition: str) -> None:
    """Let a role do anything, if its session has these condition keys."""
    keys = {key.replace("_", ":", 1).replace("__", "/"): value for key, value in condition.items()}
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": keys}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document)


# -- what a session carries ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("propagating")
def test_the_answer_tells_what_the_session_carries(login):
    context = login()["TrustedIdentityPropagationContext"]

    assert context["OriginIdentity"] == {
        "Subject": MAIN,
        "SubjectType": "workload",
        "Issuer": "token.actions.githubusercontent.com",
        "FederatedProviderArn": GITHUB,
    }
    assert context["TransactionContext"]["IdentityProvider"]["Repo"] == "acme/shop"
    assert set(context["TransactionContext"]["IdentityProvider"]) == {"Repo", "run_id"}


@pytest.mark.usefixtures("propagating")
def test_the_answer_has_every_member_of_the_model(aws, login):
    shape = aws.client("sts").meta.service_model.operation_model("AssumeRoleWithWebIdentity").output_shape
    assert set(login()) - {"ResponseMetadata"} == set(shape.members) - {"SourceIdentity"}  # which no claim sets here


def test_a_provider_that_is_not_set_up_propagates_nothing(aws, iam, login, refused):
    only_if(iam, "first", aws_OriginIdentity__Subject=MAIN)
    answer = login()

    assert "TrustedIdentityPropagationContext" not in answer
    assert refused(aws.client("iam", answer["Credentials"]).list_roles)[1] == "AccessDenied"


@pytest.mark.usefixtures("propagating")
@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("aws_OriginIdentity__Subject", MAIN),
        ("aws_OriginIdentity__SubjectType", "workload"),
        ("aws_OriginIdentity__Issuer", "token.actions.githubusercontent.com"),
        ("aws_OriginIdentity__FederatedProviderArn", GITHUB),
        ("aws_TransactionContext__IdentityProvider__Repo", "acme/shop"),
    ],
)
def test_a_policy_of_the_last_role_asks_about_the_first_proof(aws, iam, login, chain, refused, key, right):
    last = chain(login()["Credentials"], "second", "third")

    only_if(iam, "third", **{key: right})
    assert aws.client("iam", last).list_roles()
    only_if(iam, "third", **{key: "somebody else"})
    assert refused(aws.client("iam", last).list_roles)[1] == "AccessDenied"


@pytest.mark.usefixtures("propagating")
def test_a_trust_policy_asks_for_it_at_the_login_and_after_two_roles(aws, iam, login, chain, refused):
    def trust(name: str, principal: dict, action: str, subject: str) -> None:
        shared = {"token.actions.githubusercontent.com:sub": "repo:acme/*"} if "Federated" in principal else {}
        condition = {"StringEquals": {"aws:OriginIdentity/Subject": subject}, "StringLike": shared}
        statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)

    second = chain(login()["Credentials"], "second")
    trust("third", {"AWS": role("second")}, "sts:AssumeRole", MAIN)
    assert chain(second, "third")
    trust("third", {"AWS": role("second")}, "sts:AssumeRole", "repo:acme/other")
    hop = {"RoleArn": role("third"), "RoleSessionName": "hop"}
    assert refused(aws.client("sts", second).assume_role, **hop)[1] == "AccessDenied"

    trust("first", {"Federated": GITHUB}, "sts:AssumeRoleWithWebIdentity", MAIN)
    assert login()
    dev = aws.token("github", repo="acme/shop", branch="dev")
    assert refused(login, token=dev)[1] == "AccessDenied"


@pytest.mark.usefixtures("propagating")
def test_control_policies_of_the_organization_ask_for_it(aws, login, chain, refused):
    of_main = chain(login()["Credentials"], "second")
    assert aws.client("iam", of_main).list_users()
    of_dev = chain(login(aws.token("github", repo="acme/shop", branch="dev"))["Credentials"], "second")
    assert refused(aws.client("iam", of_dev).list_users)[1] == "AccessDenied"

    leaky = login(aws.token("github", repo="acme/leaky", branch="main"))["Credentials"]
    hop = {"RoleArn": role("second"), "RoleSessionName": "hop"}
    assert refused(aws.client("sts", leaky).assume_role, **hop)[1] == "AccessDenied"


@pytest.mark.usefixtures("propagating")
def test_permissions_boundaries_ask_for_it(aws, iam, login, refused):
    def bounded_to(subject: str) -> None:
        condition = {"StringEquals": {"aws:OriginIdentity/Subject": subject}}
        may = {"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        name = f"only-{len(subject)}"
        policy = iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
        iam.put_role_permissions_boundary(RoleName="first", PermissionsBoundary=policy)

    session = aws.client("iam", login()["Credentials"])
    bounded_to(MAIN)
    assert session.list_roles()
    bounded_to("somebody else")
    assert refused(session.list_roles)[1] == "AccessDenied"


@pytest.mark.usefixtures("propagating")
def test_session_policies_ask_for_it(aws, login, chain, refused):
    def narrowed_to(subject: str) -> str:
        condition = {"StringEquals": {"aws:OriginIdentity/Subject": subject}}
        may = {"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": condition}
        return json.dumps({"Version": "2012-10-17", "Statement": [may]})

    job = login()["Credentials"]
    assert aws.client("iam", chain(job, "second", Policy=narrowed_to(MAIN))).list_roles()
    other = aws.client("iam", chain(job, "second", Policy=narrowed_to("somebody else")))
    assert refused(other.list_roles)[1] == "AccessDenied"
    scoped = aws.client("sts", job).get_scoped_credentials(Policy=narrowed_to(MAIN))["Credentials"]
    assert aws.client("iam", scoped).list_roles()
    scoped = aws.client("sts", job).get_scoped_credentials(Policy=narrowed_to("somebody else"))["Credentials"]
    assert refused(aws.client("iam", scoped).list_roles)[1] == "AccessDenied"


@pytest.mark.usefixtures("propagating")
def test_another_account_s_role_keeps_it(aws, login, chain):
    theirs = chain(login()["Credentials"], "second", role("other", PROD))
    other = aws.client("iam", aws.credentials(account=PROD))
    only_if(other, "other", aws_OriginIdentity__Subject=MAIN)
    assert aws.client("iam", theirs).list_roles()


# -- nobody can change it -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("propagating")
def test_tags_and_session_names_do_not_make_an_origin(aws, iam, login, chain):
    tags = [{"Key": "OriginIdentity/Subject", "Value": "boss"}]
    last = chain(login()["Credentials"], "second", Tags=tags, TransitiveTagKeys=["OriginIdentity/Subject"])
    only_if(iam, "second", aws_OriginIdentity__Subject=MAIN)
    assert aws.client("iam", last).list_roles()


@pytest.mark.usefixtures("propagating")
def test_a_context_in_conflict_with_the_origin_is_refused(aws, login, refused):
    context = {"ProviderArn": "arn:aws:iam::aws:contextProvider/IdentityCenter", "ContextAssertion": "forged-assertion"}
    sts = aws.client("sts", login()["Credentials"])
    hop = {"RoleArn": role("second"), "RoleSessionName": "hop", "ProvidedContexts": [context]}
    status, code, message = refused(sts.assume_role, **hop)
    assert (status, code) == (400, "InvalidContextAssertion")
    assert message == "The origin identity of the calling session cannot be changed."


@pytest.mark.usefixtures("propagating")
def test_an_altered_token_of_the_session_is_no_token(aws, login, refused):
    credentials = login()["Credentials"]
    token = credentials["SessionToken"]
    other = "A" if token[100] != "A" else "B"
    altered = {**credentials, "SessionToken": token[:100] + other + token[101:]}
    assert refused(aws.client("sts", altered).get_caller_identity)[:2] == (403, "InvalidClientTokenId")


def test_a_session_keeps_what_it_got_though_the_provider_changes(aws, iam, corp, login):
    corp(SubjectSourceKey="sub")
    session = login(aws.token("corp", aud="shop", sub="jane"))["Credentials"]
    iam.update_open_id_connect_provider(OpenIDConnectProviderArn=CORP, RemoveContextProvider=True)
    only_if(iam, "first", aws_OriginIdentity__Subject="jane")
    assert aws.client("iam", session).list_roles()


# -- what a token must say ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({}, "`who`, the subject by the provider's settings, is not there"),
        ({"who": "   "}, "`who`, the subject by the provider's settings, is not there"),
        ({"who": ["jane", "boss"]}, "`who` has several values"),
        ({"who": {"deep": "jane"}}, "`who`, the subject by the provider's settings, is not there"),
        ({"who": "j" * 257}, "`who` is longer than 256 characters"),
        ({"who": "jane", "kind": "k" * 129}, "`kind` is longer than 128 characters"),
        ({"who": "jane", "team": ["a", "b"]}, "`team` has several values"),
        ({"who": "jane", "team": "t" * 129}, "`team` is longer than 128 characters"),
    ],
)
def test_a_token_that_does_not_say_it_gets_no_session(aws, corp, login, refused, claims, why):
    corp(SubjectSourceKey="who", SubjectTypeSourceKey="kind", KeyDefinitionList=[{"SourceKey": "team"}])
    answer = refused(login, token=aws.token("corp", aud="shop", sub="jane", **claims))
    assert answer == (400, "InvalidIdentityToken", f"Trusted identity propagation: {why}")


def test_an_oversized_context_is_refused(aws, corp, login, refused):
    """Each claim is as long as it may be, in a script that takes three bytes a character."""
    ideograms = Random(7).choices([chr(code) for code in range(0x4E00, 0x9FA5)], k=1280)
    longest = {f"claim{number}": "".join(ideograms[number::10]) for number in range(10)}
    corp(SubjectSourceKey="sub", KeyDefinitionList=[{"SourceKey": name} for name in longest])
    token = aws.token("corp", aud="shop", sub="jane", **longest)
    assert refused(login, token=token)[:2] == (400, "PackedPolicyTooLarge")


def test_claims_that_are_not_there_are_left_out(aws, corp, login):
    corp(SubjectSourceKey="deep/who", SubjectTypeSourceKey="kind", KeyDefinitionList=[{"SourceKey": "team"}])
    context = login(aws.token("corp", aud="shop", sub="x", deep={"who": "jane"}))["TrustedIdentityPropagationContext"]
    assert context == {
        "OriginIdentity": {"Subject": "jane", "Issuer": "idp.example.com", "FederatedProviderArn": CORP},
    }


@pytest.mark.usefixtures("propagating")
def test_the_trail_does_not_tell_it(aws, login):
    """STS's model calls the answer's member sensitive."""
    login()
    (event,) = [event for event in aws.events() if event["eventName"] == "AssumeRoleWithWebIdentity"]
    assert "OriginIdentity" not in json.dumps(event["responseElements"])


# -- Identity Center ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("propagating")
def test_an_associated_instance_is_in_the_session_and_not_in_the_answer(aws, iam, login):
    owner = aws.credentials(account="999988887777")
    (instance,) = aws.client("sso-admin", owner).list_instances()["Instances"]
    store = f"arn:aws:identitystore::999988887777:identitystore/{instance['IdentityStoreId']}"
    iam.update_open_id_connect_provider(
        OpenIDConnectProviderArn=GITHUB, IdentityCenterInstanceArn=instance["InstanceArn"]
    )
    answer = login()

    assert instance["InstanceArn"] not in json.dumps(answer, default=str)
    only_if(iam, "first", aws_IdentityCenterInstanceArn=instance["InstanceArn"], aws_IdentityStoreArn=store)
    assert aws.client("iam", answer["Credentials"]).list_roles()


# -- outbound tokens ----------------------------------------------------------------------------------------------


class TestOutbound:
    """GetWebIdentityToken speaks for the origin (the model's own words)."""

    ASKED: ClassVar = {"Audience": ["partner"], "SigningAlgorithm": "ES384", "SubjectMode": "OriginIdentity"}

    @pytest.fixture(autouse=True)
    def switched_on(self, iam):
        iam.enable_outbound_web_identity_federation()

    @pytest.fixture
    def second(self, aws, propagating, login, chain):  # noqa: ARG002 - set up before the login
        return aws.client("sts", chain(login()["Credentials"], "second"))

    def test_the_subject_is_the_origin_s(self, second):
        token = second.get_web_identity_token(**self.ASKED, Scope="read write")["WebIdentityToken"]
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (claims["sub"], claims["subject_mode"], claims["scope"]) == (MAIN, "OriginIdentity", "read write")
        assert claims["https://sts.amazonaws.com/"]["principal_id"] == role("second")

    def test_otherwise_it_is_the_principal_s(self, second):
        token = second.get_web_identity_token(Audience=["partner"], SigningAlgorithm="ES384")["WebIdentityToken"]
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["sub"] == role("second")
        assert {"subject_mode", "scope"}.isdisjoint(claims)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"Scope": "read", "SubjectMode": "AWSIdentity"},
            {"Scope": "read", "Audience": ["partner", "other"]},
            {"Scope": "read read"},
            {"Scope": " read"},
            {"Scope": "re,ad"},
            {"SubjectMode": "Nobody"},
        ],
    )
    def test_what_does_not_go_together_is_refused(self, second, refused, wrong):
        assert refused(second.get_web_identity_token, **{**self.ASKED, **wrong})[:2] == (400, "ValidationError")

    def test_a_session_without_an_origin_cannot_speak_for_one(self, aws, login, refused):
        sts = aws.client("sts", login()["Credentials"])
        assert refused(sts.get_web_identity_token, **self.ASKED)[:2] == (400, "ValidationError")

    @pytest.mark.parametrize("subject", ["ARN:aws:iam::1:user/boss", " jane", "ja\u200bne", "ja\u00a0ne"])
    def test_a_subject_that_could_be_taken_for_another_is_denied(self, aws, corp, login, refused, subject):
        corp(SubjectSourceKey="sub")
        sts = aws.client("sts", login(aws.token("corp", aud="shop", sub=subject))["Credentials"])
        assert refused(sts.get_web_identity_token, **self.ASKED)[:2] == (403, "AccessDenied")

    @pytest.mark.parametrize(
        ("action", "condition", "scope"),
        [
            ("sts:SetWebIdentityTokenScope", {}, "read"),
            ("sts:*", {"StringEquals": {"sts:SubjectMode": "OriginIdentity"}}, ""),
            ("sts:*", {"ForAnyValue:StringEquals": {"sts:IdentityTokenScope": "write"}}, "read write"),
        ],
    )
    def test_policies_say_who_may(self, iam, second, refused, action, condition, scope):
        allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        deny = {"Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]})
        iam.put_role_policy(RoleName="second", PolicyName="all", PolicyDocument=document)
        asked = {**self.ASKED, **({"Scope": scope} if scope else {})}
        assert refused(second.get_web_identity_token, **asked)[:2] == (403, "AccessDenied")
        assert second.get_web_identity_token(Audience=["partner"], SigningAlgorithm="ES384")
