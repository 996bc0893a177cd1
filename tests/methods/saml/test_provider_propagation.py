"""Setting up trusted identity propagation on OIDC and SAML providers: the model's rules, and who may."""

from __future__ import annotations

import json

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from saml_maker import ISSUER, identity, metadata

pytestmark = pytest.mark.scenario("""
accounts:
  "111122223333":
    name: dev
    users: {operator: {}}
organization: {management: "111122223333", accounts: {"111122223333": {}}}
identity_center: {start_url: "https://d-9067000000.awsapps.com/start"}
""")

DEV = "111122223333"
URL = "https://idp.example.com"
METADATA = metadata(identity().certificate_text)
CONTEXT = {
    "SubjectSourceKey": "sub",
    "SubjectTypeSourceKey": "kind",
    "KeyDefinitionList": [{"SourceKey": "repository", "TargetKey": "repo"}],
}


class Oidc:
    """An OIDC provider; the four calls by one name each."""

    issuer = "idp.example.com"

    def __init__(self, iam) -> None:
        self.iam, self.arn = iam, f"arn:aws:iam::{DEV}:oidc-provider/idp.example.com"

    def create(self, **members):
        return self.iam.create_open_id_connect_provider(Url=URL, **members)

    def update(self, **members):
        return self.iam.update_open_id_connect_provider(OpenIDConnectProviderArn=self.arn, **members)

    def get(self):
        return self.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=self.arn)


class Saml:
    """A SAML provider, likewise."""

    issuer = ISSUER

    def __init__(self, iam) -> None:
        self.iam, self.arn = iam, f"arn:aws:iam::{DEV}:saml-provider/Corp"

    def create(self, **members):
        return self.iam.create_saml_provider(Name="Corp", SAMLMetadataDocument=METADATA, **members)

    def update(self, **members):
        return self.iam.update_saml_provider(SAMLProviderArn=self.arn, **members)

    def get(self):
        return self.iam.get_saml_provider(SAMLProviderArn=self.arn)


@pytest.fixture
def instance(aws) -> tuple[str, str]:
    """The ARNs of the instance and its store."""
    (known,) = aws.client("sso-admin").list_instances()["Instances"]
    return known["InstanceArn"], f"arn:aws:identitystore::{DEV}:identitystore/{known['IdentityStoreId']}"


@pytest.fixture(params=[Oidc, Saml])
def kind(request):
    return request.param


@pytest.fixture
def provider(aws, kind):
    return kind(aws.client("iam"))


def refusal(call, **members) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# -- create, update, remove, read ---------------------------------------------------------------------------------


def test_it_is_created_read_changed_and_removed(provider, instance):
    arn, store = instance
    provider.create(ContextProvider=CONTEXT, IdentityCenterInstanceArn=arn)
    got = provider.get()
    assert got["ContextProvider"] == CONTEXT
    assert (got["IdentityCenterInstanceArn"], got["IdentityStoreArn"]) == (arn, store)

    provider.update(ContextProvider={"SubjectSourceKey": "email", "SubjectTypeValue": "user"})
    assert provider.get()["ContextProvider"] == {"SubjectSourceKey": "email", "SubjectTypeValue": "user"}
    assert provider.get()["IdentityCenterInstanceArn"] == arn
    provider.update(RemoveIdentityCenterInstance=True)
    assert {"IdentityCenterInstanceArn", "IdentityStoreArn"}.isdisjoint(provider.get())
    provider.update(RemoveContextProvider=True)
    assert "ContextProvider" not in provider.get()
    provider.update(ContextProvider=CONTEXT)
    provider.update(IdentityCenterInstanceArn=arn)
    assert provider.get()["IdentityStoreArn"] == store


def test_reading_one_that_was_never_set_up_shows_nothing(provider):
    provider.create()
    assert {"ContextProvider", "IdentityCenterInstanceArn", "IdentityStoreArn"}.isdisjoint(provider.get())


@pytest.mark.parametrize(
    "wrong",
    [
        {**CONTEXT, "SubjectTypeValue": "user"},
        {"SubjectSourceKey": " sub"},
        {"SubjectSourceKey": "a  b"},
        {"SubjectSourceKey": "s\u00fcb"},
        {"SubjectSourceKey": "sub\n"},
        {"SubjectSourceKey": "sub", "SubjectTypeSourceKey": "{kind}"},
        {"SubjectSourceKey": "sub", "KeyDefinitionList": [{"SourceKey": "a*"}]},
        {"SubjectSourceKey": "sub", "KeyDefinitionList": [{"SourceKey": "a", "TargetKey": "${b}"}]},
        {"SubjectSourceKey": "sub", "KeyDefinitionList": [{"SourceKey": "a"}, {"SourceKey": "b", "TargetKey": "A"}]},
    ],
)
def test_a_context_provider_that_is_none(provider, wrong):
    assert refusal(provider.create, ContextProvider=wrong)[0] == "InvalidInput"


@pytest.mark.parametrize(
    "wrong",
    [
        {"SubjectSourceKey": "s" * 129},
        {"SubjectSourceKey": ""},
        {"SubjectSourceKey": "sub", "SubjectTypeValue": "t" * 129},
        {"SubjectSourceKey": "sub", "KeyDefinitionList": [{"SourceKey": f"k{number}"} for number in range(11)]},
    ],
)
def test_one_beyond_the_model_s_limits(aws, kind, wrong):
    provider = kind(aws.client("iam", config=Config(parameter_validation=False)))
    assert refusal(provider.create, ContextProvider=wrong)[0] == "ValidationError"


def test_an_instance_needs_a_context_provider_and_must_be_there(provider, instance):
    absent = "arn:aws:sso:::instance/ssoins-0000000000000000"
    assert refusal(provider.create, IdentityCenterInstanceArn=instance[0])[0] == "InvalidInput"
    assert refusal(provider.create, ContextProvider=CONTEXT, IdentityCenterInstanceArn=absent)[0] == "InvalidInput"
    provider.create()
    assert refusal(provider.update, IdentityCenterInstanceArn=instance[0])[0] == "InvalidInput"


def test_an_update_changes_one_thing_at_a_time(provider, instance):
    provider.create(ContextProvider=CONTEXT, IdentityCenterInstanceArn=instance[0])
    for wrong in (
        {"ContextProvider": CONTEXT, "RemoveContextProvider": True},
        {"IdentityCenterInstanceArn": instance[0], "RemoveIdentityCenterInstance": True},
        {"ContextProvider": CONTEXT, "RemoveIdentityCenterInstance": True},
        {"RemoveContextProvider": True},
    ):
        assert refusal(provider.update, **wrong)[0] == "InvalidInput"
    assert provider.get()["ContextProvider"] == CONTEXT


def test_an_update_of_nothing(provider):
    provider.create()
    assert refusal(provider.update)[0] in ("InvalidInput", "ValidationError")


def test_saml_metadata_and_context_do_not_change_together(aws):
    saml = Saml(aws.client("iam"))
    saml.create()
    assert refusal(saml.update, ContextProvider=CONTEXT, SAMLMetadataDocument=METADATA)[0] == "InvalidInput"


def test_a_saml_provider_shows_what_its_keys_are_called(aws):
    saml = Saml(aws.client("iam"))
    saml.create()
    (entry,) = saml.get()["SAMLKeyHashes"]
    assert entry["IssuerURL"] == ISSUER
    assert [len(bytes.fromhex(text)) for text in entry["KeyHashes"]] == [32]


# -- who may ------------------------------------------------------------------------------------------------------


@pytest.fixture
def operator(aws, kind):
    """`operator(condition)`: the provider in the hands of a user who may do anything but what meets the condition."""
    iam = aws.client("iam")

    def limited(**condition) -> Oidc | Saml:
        statements = [
            {"Effect": "Allow", "Action": "iam:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "iam:*", "Resource": "*", "Condition": condition},
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName="operator", PolicyName="guard", PolicyDocument=document)
        return kind(aws.client("iam", user="operator"))

    return limited


def test_a_guard_against_propagation(operator):
    guarded = operator(Bool={"iam:EnableIdentityPropagation": "true"})
    assert refusal(guarded.create, ContextProvider=CONTEXT)[0] == "AccessDenied"
    guarded.create()
    assert refusal(guarded.update, ContextProvider=CONTEXT)[0] == "AccessDenied"


def test_a_guard_against_its_removal(operator, provider):
    provider.create(ContextProvider=CONTEXT)
    guarded = operator(Bool={"iam:EnableIdentityPropagation": "false"})
    assert refusal(guarded.update, RemoveContextProvider=True)[0] == "AccessDenied"
    guarded.update(ContextProvider=CONTEXT)


def test_a_guard_of_instances(operator, provider, instance):
    provider.create(ContextProvider=CONTEXT)
    guarded = operator(StringEquals={"iam:RequestIdentityCenterInstanceArn": instance[0]})
    assert refusal(guarded.update, IdentityCenterInstanceArn=instance[0])[0] == "AccessDenied"
    guarded = operator(Bool={"iam:EnableIdentityCenterAssociation": "true"})
    assert refusal(guarded.update, IdentityCenterInstanceArn=instance[0])[0] == "AccessDenied"
    provider.update(IdentityCenterInstanceArn=instance[0])
    guarded = operator(StringEquals={"iam:ResourceIdentityCenterInstanceArn": instance[0]})
    assert refusal(guarded.update, RemoveIdentityCenterInstance=True)[0] == "AccessDenied"


def test_a_guard_of_issuers(operator, provider):
    issuer = {"ForAnyValue:StringEquals": {"iam:RequestIdentityProviderIssuers": provider.issuer}}
    assert refusal(operator(**issuer).create, ContextProvider=CONTEXT)[0] == "AccessDenied"
    provider.create()
    issuer = {"ForAnyValue:StringEquals": {"iam:ResourceIdentityProviderIssuers": provider.issuer}}
    assert refusal(operator(**issuer).update, ContextProvider=CONTEXT)[0] == "AccessDenied"
