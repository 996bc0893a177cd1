"""The control plane as boto3 sees it: trust anchors, profiles, lists, subjects, mappings, notifications, tags, aliases."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from sts_emulator.cli.errors import CommandError


def failure(code, call, /, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["Error"]["Code"] == code
    return caught.value.response["Error"]["Message"]


@pytest.fixture
def control(aws):
    return aws.client("rolesanywhere")


@pytest.fixture
def bundle(folder):
    pem = (folder / "lab-root.pem").read_text()
    return {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": pem}}


@pytest.fixture
def anchor(control, bundle):
    return control.create_trust_anchor(name="lab", source=bundle, enabled=True)["trustAnchor"]


@pytest.fixture
def role(aws):
    return f"arn:aws:iam::{aws.account}:role/workload"


@pytest.fixture
def profile(control, role):
    return control.create_profile(name="web", roleArns=[role])["profile"]


@pytest.fixture
def crl(control, anchor, folder):
    data = (folder / "lab-issuing.crl").read_bytes()
    return control.import_crl(name="lab", crlData=data, trustAnchorArn=anchor["trustAnchorArn"], enabled=True)["crl"]


# -- trust anchors ----------------------------------------------------------------------------------------------------


def test_a_trust_anchor_from_a_bundle(aws, control, bundle):
    answer = control.create_trust_anchor(name="lab", source=bundle, enabled=True)
    anchor = answer["trustAnchor"]

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert anchor["trustAnchorArn"] == (
        f"arn:aws:rolesanywhere:us-east-1:{aws.account}:trust-anchor/{anchor['trustAnchorId']}"
    )
    assert (anchor["name"], anchor["enabled"], anchor["source"]) == ("lab", True, bundle)
    assert anchor["createdAt"] == anchor["updatedAt"]
    assert control.get_trust_anchor(trustAnchorId=anchor["trustAnchorId"])["trustAnchor"] == anchor
    assert control.get_trust_anchor(trustAnchorId=anchor["trustAnchorArn"])["trustAnchor"] == anchor
    assert control.list_trust_anchors()["trustAnchors"] == [anchor]


def test_without_enabled_a_trust_anchor_begins_disabled(control, bundle):
    assert control.create_trust_anchor(name="lab", source=bundle)["trustAnchor"]["enabled"] is False


def test_an_update_changes_what_it_has(control, anchor):
    after = control.update_trust_anchor(trustAnchorId=anchor["trustAnchorId"], name="renamed")["trustAnchor"]

    assert (after["name"], after["source"], after["enabled"]) == ("renamed", anchor["source"], True)
    assert after["updatedAt"] >= anchor["updatedAt"]


def test_deleting_shows_what_was_deleted(control, anchor):
    gone = control.delete_trust_anchor(trustAnchorId=anchor["trustAnchorId"])["trustAnchor"]

    assert gone["trustAnchorArn"] == anchor["trustAnchorArn"]
    failure("ResourceNotFoundException", control.get_trust_anchor, trustAnchorId=anchor["trustAnchorId"])


def source(pem):
    return {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": pem}}


def test_what_is_no_certificate(control, folder):
    three = (folder / "lab-root.pem").read_text() * 3

    for pem in ("hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", three):
        message = failure("ValidationException", control.create_trust_anchor, name="bad", source=source(pem))
        assert message == "Error creating TrustAnchor. Bad certificate data"


@pytest.mark.parametrize("name", ["web-01", "wrong-usage"])
def test_an_end_entity_is_no_authority(control, folder, name):
    message = failure(
        "ValidationException",
        control.create_trust_anchor,
        name="bad",
        source=source((folder / f"{name}.pem").read_text()),
    )

    assert message == "Incorrect basic constraints for CA certificate"


def test_a_weak_authority_is_refused(control, tmp_path):
    from sts_emulator.idp.pki import generate
    from sts_emulator.idp.pki_declaration import parse

    generate(tmp_path, parse("authorities: {weak: {subject: {CN: Weak}, key: rsa-1024}}"))
    pem = (tmp_path / "weak.pem").read_text()

    message = failure("ValidationException", control.create_trust_anchor, name="bad", source=source(pem))
    assert "1024 bits" in message


@pytest.mark.parametrize(
    "given",
    [
        {"sourceType": "AWS_ACM_PCA", "sourceData": {"x509CertificateData": "x"}},
        {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"acmPcaArn": "arn:aws:acm-pca:us-east-1:1:x"}},
        {"sourceType": "SELF_SIGNED_REPOSITORY"},
        {},
    ],
)
def test_a_source_whose_type_and_data_do_not_belong_together(control, given):
    failure("ValidationException", control.create_trust_anchor, name="bad", source=given)


# -- the private CA ---------------------------------------------------------------------------------------------------


def test_a_trust_anchor_from_a_private_ca(aws, stage):
    authority = aws.page("POST", "private-ca", body={"account": aws.account, "subject": {"CN": "Private"}})
    anchor = stage.control.create_trust_anchor(
        name="pca", source={"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": authority["arn"]}}, enabled=True
    )["trustAnchor"]
    issued = aws.page("POST", f"private-ca/{authority['id']}/certificates", body={"subject": {"CN": "pod-1"}})
    identity = _identity(issued)

    assert anchor["source"] == {"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": authority["arn"]}}
    assert stage.session(identity, stage.ask(trustAnchorArn=anchor["trustAnchorArn"])).status == 201

    revoked = aws.page("POST", f"private-ca/{authority['id']}/revocations", body={"serial": issued["serial"]})
    stage.import_crl(crlData=revoked["crl"].encode(), trustAnchorArn=anchor["trustAnchorArn"])
    answer = stage.session(identity, stage.ask(trustAnchorArn=anchor["trustAnchorArn"]))
    assert answer.error == "AccessDeniedException: Certificate revoked"


def test_a_private_ca_that_is_not_there(control, aws):
    arn = f"arn:aws:acm-pca:us-east-1:{aws.account}:certificate-authority/00000000-0000-0000-0000-000000000000"

    message = failure(
        "ValidationException",
        control.create_trust_anchor,
        name="pca",
        source={"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": arn}},
    )
    assert message == "Error creating TrustAnchor. Given AWS PCA did not allow get request."


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"account": "1"},
        {"account": "111122223333", "key": "des"},
        {"account": "111122223333", "subject": {"XX": "x"}},
        {"account": "111122223333", "subject": ["CN"]},
        {"account": "111122223333", "subject": {"CN": 5}},
        [],
    ],
)
def test_a_private_ca_that_cannot_be_made(aws, body):
    with pytest.raises(CommandError) as told:
        aws.page("POST", "private-ca", body=body)
    assert "internal failure" not in str(told.value)


def _identity(issued):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate
    from x509_signing import Identity

    key = load_pem_private_key(issued["private_key"].encode(), None)
    return Identity(load_pem_x509_certificate(issued["certificate"].encode()), key)


# -- profiles ---------------------------------------------------------------------------------------------------------

DEFAULT_MAPPINGS = [
    {"certificateField": "x509Issuer", "mappingRules": [{"specifier": "*"}]},
    {
        "certificateField": "x509SAN",
        "mappingRules": [{"specifier": "DNS"}, {"specifier": "URI"}, {"specifier": "Name/*"}],
    },
    {"certificateField": "x509Subject", "mappingRules": [{"specifier": "*"}]},
]


def test_a_new_profile_in_full(aws, control, role):
    profile = control.create_profile(name="web", roleArns=[role])["profile"]

    for name in ("createdAt", "updatedAt"):
        assert profile.pop(name)
    identifier = profile.pop("profileId")
    assert profile == {
        "profileArn": f"arn:aws:rolesanywhere:us-east-1:{aws.account}:profile/{identifier}",
        "name": "web",
        "requireInstanceProperties": False,
        "enabled": False,
        "createdBy": f"arn:aws:iam::{aws.account}:root",
        "roleArns": [role],
        "managedPolicyArns": [],
        "durationSeconds": 3600,
        "acceptRoleSessionName": False,
        "attributeMappings": DEFAULT_MAPPINGS,
    }


def test_a_profile_is_updated_enabled_and_deleted(control, profile):
    identifier = profile["profileId"]
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    updated = control.update_profile(
        profileId=identifier, durationSeconds=900, acceptRoleSessionName=True, sessionPolicy=policy, roleArns=[]
    )["profile"]

    assert (updated["durationSeconds"], updated["acceptRoleSessionName"], updated["roleArns"]) == (900, True, [])
    assert (updated["sessionPolicy"], updated["name"]) == (policy, "web")
    assert control.enable_profile(profileId=identifier)["profile"]["enabled"] is True
    assert control.disable_profile(profileId=profile["profileArn"])["profile"]["enabled"] is False
    control.delete_profile(profileId=identifier)
    failure("ResourceNotFoundException", control.get_profile, profileId=identifier)


def test_a_session_policy_that_is_none(control, role):
    failure("ValidationException", control.create_profile, name="bad", roleArns=[role], sessionPolicy="{")


def test_creating_a_profile_takes_the_permission_to_pass_its_roles(aws, role):
    iam = aws.client("iam")
    iam.create_user(UserName="operator")
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    mine = aws.client("rolesanywhere", {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]})

    def permit(*statements):
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_user_policy(UserName="operator", PolicyName="own", PolicyDocument=document)

    create = {"Effect": "Allow", "Action": "rolesanywhere:CreateProfile", "Resource": "*"}
    permit(create)
    message = failure("AccessDeniedException", mine.create_profile, name="web", roleArns=[role])
    assert f"is not authorized to perform: iam:PassRole on resource: {role}" in message

    service = {"StringEquals": {"iam:PassedToService": "rolesanywhere.amazonaws.com"}}
    permit(create, {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role, "Condition": service})
    assert mine.create_profile(name="web", roleArns=[role])["profile"]["createdBy"].endswith(":user/operator")


def test_a_role_of_another_account_cannot_be_passed(control):
    other = "arn:aws:iam::999999999999:role/theirs"

    message = failure("AccessDeniedException", control.create_profile, name="web", roleArns=[other])
    assert message == "Cross-account pass role is not allowed."


# -- attribute mappings -----------------------------------------------------------------------------------------------


def test_mapping_rules_are_added_and_deleted(control, profile):
    identifier = profile["profileId"]
    rules = [{"specifier": "UID"}, {"specifier": "2.5.4.5"}]

    control.put_attribute_mapping(profileId=identifier, certificateField="x509Subject", mappingRules=rules)
    some = control.delete_attribute_mapping(profileId=identifier, certificateField="x509Subject", specifiers=["*"])
    none = control.delete_attribute_mapping(profileId=identifier, certificateField="x509SAN")

    assert some["profile"]["attributeMappings"][2] == {"certificateField": "x509Subject", "mappingRules": rules}
    assert [entry["certificateField"] for entry in none["profile"]["attributeMappings"]] == [
        "x509Issuer",
        "x509Subject",
    ]


@pytest.mark.parametrize("specifier", ["Name", "Name/", "Name/*"])
def test_a_bare_directory_name_means_all_of_it(control, profile, specifier):
    control.delete_attribute_mapping(profileId=profile["profileId"], certificateField="x509SAN")
    after = control.put_attribute_mapping(
        profileId=profile["profileId"], certificateField="x509SAN", mappingRules=[{"specifier": specifier}]
    )

    assert after["profile"]["attributeMappings"][1]["mappingRules"] == [{"specifier": "Name/*"}]


@pytest.mark.parametrize(("field", "specifier"), [("x509SAN", "*"), ("x509SAN", "IP"), ("x509Subject", "no such type")])
def test_specifiers_that_a_field_does_not_have(control, profile, field, specifier):
    failure(
        "ValidationException",
        control.put_attribute_mapping,
        profileId=profile["profileId"],
        certificateField=field,
        mappingRules=[{"specifier": specifier}],
    )


# -- revocation lists -------------------------------------------------------------------------------------------------


def test_a_list_is_imported_updated_and_deleted(aws, control, crl, anchor, folder):
    identifier = crl["crlId"]
    data = (folder / "lab-root.crl").read_bytes()

    assert crl["crlArn"] == f"arn:aws:rolesanywhere:us-east-1:{aws.account}:crl/{identifier}"
    assert crl["crlData"] == (folder / "lab-issuing.crl").read_bytes()
    assert crl["trustAnchorArn"] == anchor["trustAnchorArn"]
    assert control.update_crl(crlId=identifier, crlData=data, name="other")["crl"]["crlData"] == data
    assert control.disable_crl(crlId=identifier)["crl"]["enabled"] is False
    assert control.enable_crl(crlId=identifier)["crl"]["enabled"] is True
    assert [entry["name"] for entry in control.list_crls()["crls"]] == ["other"]
    control.delete_crl(crlId=identifier)
    failure("ResourceNotFoundException", control.get_crl, crlId=identifier)


def test_what_is_no_list(control, anchor):
    failure("ValidationException", control.import_crl, name="x", crlData=b"x", trustAnchorArn=anchor["trustAnchorArn"])


def test_a_list_needs_a_trust_anchor(control, anchor, folder):
    data = (folder / "lab-issuing.crl").read_bytes()
    control.update_trust_anchor(trustAnchorId=anchor["trustAnchorId"], aliasName="lab")
    alias = control.get_trust_anchor(trustAnchorId=anchor["trustAnchorId"])["trustAnchor"]["aliasArn"]

    for arn in (anchor["trustAnchorArn"][:-12] + "0" * 12, alias):
        failure("ResourceNotFoundException", control.import_crl, name="x", crlData=data, trustAnchorArn=arn)


def test_two_lists_of_one_trust_anchor_are_the_limit(control, anchor, crl):
    given = {"name": "x", "crlData": crl["crlData"], "trustAnchorArn": anchor["trustAnchorArn"]}
    control.import_crl(**given)

    failure("ValidationException", control.import_crl, **given)


# -- notification settings --------------------------------------------------------------------------------------------


def test_notifications_are_set_and_reset(aws, control, anchor):
    identifier = anchor["trustAnchorId"]
    default = {"enabled": True, "threshold": 45, "channel": "ALL", "configuredBy": "rolesanywhere.amazonaws.com"}
    defaults = [{"event": "CA_CERTIFICATE_EXPIRY", **default}, {"event": "END_ENTITY_CERTIFICATE_EXPIRY", **default}]
    mine = {"event": "CA_CERTIFICATE_EXPIRY", "enabled": True, "threshold": 90}

    assert anchor["notificationSettings"] == defaults
    put = control.put_notification_settings(trustAnchorId=identifier, notificationSettings=[mine])["trustAnchor"]
    assert put["notificationSettings"] == [{**mine, "channel": "ALL", "configuredBy": aws.account}, defaults[1]]
    reset = control.reset_notification_settings(
        trustAnchorId=identifier, notificationSettingKeys=[{"event": "CA_CERTIFICATE_EXPIRY"}]
    )["trustAnchor"]
    assert reset["notificationSettings"] == defaults


def test_an_enabled_notification_needs_a_threshold(control, anchor):
    failure(
        "ValidationException",
        control.put_notification_settings,
        trustAnchorId=anchor["trustAnchorId"],
        notificationSettings=[{"event": "CA_CERTIFICATE_EXPIRY", "enabled": True}],
    )


# -- tags -------------------------------------------------------------------------------------------------------------


def tagged(**tags):
    return [{"key": key, "value": value} for key, value in tags.items()]


def test_every_resource_can_be_tagged(control, anchor, profile, crl, stage):
    subject = stage.session().body["subjectArn"]

    for arn in (anchor["trustAnchorArn"], profile["profileArn"], crl["crlArn"], subject):
        control.tag_resource(resourceArn=arn, tags=tagged(team="web", stage="lab"))
        control.tag_resource(resourceArn=arn, tags=tagged(stage="prod"))
        control.untag_resource(resourceArn=arn, tagKeys=["team", "never"])
        assert control.list_tags_for_resource(resourceArn=arn)["tags"] == tagged(stage="prod")


def test_tags_may_be_given_on_creation(control, bundle):
    anchor = control.create_trust_anchor(name="lab", source=bundle, tags=tagged(team="web"))["trustAnchor"]

    assert control.list_tags_for_resource(resourceArn=anchor["trustAnchorArn"])["tags"] == tagged(team="web")


def test_tags_that_are_refused(control, anchor):
    arn = anchor["trustAnchorArn"]
    many = tagged(**{f"key{number}": "x" for number in range(51)})

    failure("TooManyTagsException", control.tag_resource, resourceArn=arn, tags=many)
    failure("ValidationException", control.tag_resource, resourceArn=arn, tags=tagged(**{"aws:x": "y"}))
    failure("ValidationException", control.tag_resource, resourceArn=arn, tags=tagged(a="1") * 2)
    failure("ResourceNotFoundException", control.tag_resource, resourceArn=arn[:-12] + "0" * 12, tags=tagged(a="1"))


# -- aliases ----------------------------------------------------------------------------------------------------------


def test_an_alias_stands_for_its_resource(aws, control, anchor, profile, crl):
    for kind, member, name, thing in (
        ("trust-anchor", "trustAnchor", "trust_anchor", anchor),
        ("profile", "profile", "profile", profile),
        ("crl", "crl", "crl", crl),
    ):
        update, get = getattr(control, f"update_{name}"), getattr(control, f"get_{name}")
        given = {f"{member}Id": thing[f"{member}Id"]}
        named = update(**given, aliasName="team/web")[member]

        assert named["aliasArn"] == f"arn:aws:rolesanywhere:us-east-1:{aws.account}:alias/{kind}/team/web"
        assert "previousAliasName" not in named
        answer = get(**{f"{member}Id": named["aliasArn"]})[member]
        assert answer[f"{member}Arn"] == thing[f"{member}Arn"]

        renamed = update(**given, aliasName="team/api")[member]
        assert (renamed["aliasName"], renamed["previousAliasName"]) == ("team/api", "team/web")
        failure("ResourceNotFoundException", get, **{f"{member}Id": named["aliasArn"]})

        removed = update(**given, aliasName="")[member]
        assert removed["previousAliasName"] == "team/api"
        assert "aliasName" not in removed


def test_aliases_that_are_refused(control, anchor, bundle):
    control.update_trust_anchor(trustAnchorId=anchor["trustAnchorId"], aliasName="mine")
    other = control.create_trust_anchor(name="other", source=bundle)["trustAnchor"]

    for alias in ("mine", "AWS/x", "ends/", "a//b", "1st"):
        failure(
            "ValidationException", control.update_trust_anchor, trustAnchorId=other["trustAnchorId"], aliasName=alias
        )
    control.update_trust_anchor(trustAnchorId=other["trustAnchorId"], aliasName="Mine")  # case-sensitive


# -- lists, and who sees what -----------------------------------------------------------------------------------------


def test_lists_come_in_pages(control, bundle):
    names = [f"anchor {number}" for number in range(5)]
    for name in names:
        control.create_trust_anchor(name=name, source=bundle)

    pages = list(control.get_paginator("list_trust_anchors").paginate(pageSize=2))

    assert [len(page["trustAnchors"]) for page in pages] == [2, 2, 1]
    assert sorted(entry["name"] for page in pages for entry in page["trustAnchors"]) == names


def test_tokens_and_sizes_that_no_page_gave(control):
    failure("ValidationException", control.list_profiles, nextToken="made up")
    failure("ValidationException", control.list_profiles, pageSize=0)


def test_the_limit_of_trust_anchors(control, bundle):
    for number in range(50):
        control.create_trust_anchor(name=f"anchor {number}", source=bundle)

    failure("ValidationException", control.create_trust_anchor, name="one more", source=bundle)


def test_resources_belong_to_their_region(aws, anchor):
    other = aws.client("rolesanywhere", region_name="eu-west-1")

    assert other.list_trust_anchors()["trustAnchors"] == []
    failure("ResourceNotFoundException", other.get_trust_anchor, trustAnchorId=anchor["trustAnchorId"])
    failure("ResourceNotFoundException", other.get_trust_anchor, trustAnchorId=anchor["trustAnchorArn"])


def test_without_the_permission_a_caller_learns_nothing(aws, anchor):
    iam = aws.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    mine = aws.client("rolesanywhere", {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]})

    for identifier in (anchor["trustAnchorId"], anchor["trustAnchorId"][:-12] + "0" * 12):
        message = failure("AccessDeniedException", mine.get_trust_anchor, trustAnchorId=identifier)
        assert f"rolesanywhere:GetTrustAnchor on resource: {anchor['trustAnchorArn'][:-36]}{identifier}" in message
    failure("AccessDeniedException", mine.list_profiles)


def test_permissions_can_ask_for_tags_of_request_and_resource(aws, bundle, anchor):
    iam = aws.client("iam")
    iam.create_user(UserName="tagger")
    key = iam.create_access_key(UserName="tagger")["AccessKey"]
    mine = aws.client("rolesanywhere", {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]})
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["rolesanywhere:CreateTrustAnchor", "rolesanywhere:TagResource"],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:RequestTag/team": "web"}},
            },
            {
                "Effect": "Allow",
                "Action": "rolesanywhere:DisableTrustAnchor",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceTag/team": "web"}},
            },
        ],
    }
    iam.put_user_policy(UserName="tagger", PolicyName="own", PolicyDocument=json.dumps(document))

    failure("AccessDeniedException", mine.create_trust_anchor, name="x", source=bundle)
    failure("AccessDeniedException", mine.create_trust_anchor, name="x", source=bundle, tags=tagged(team="api"))
    made = mine.create_trust_anchor(name="x", source=bundle, tags=tagged(team="web"))["trustAnchor"]
    assert mine.disable_trust_anchor(trustAnchorId=made["trustAnchorId"])["trustAnchor"]["enabled"] is False
    failure("AccessDeniedException", mine.disable_trust_anchor, trustAnchorId=anchor["trustAnchorId"])
