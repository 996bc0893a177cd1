"""A certificate becomes credentials: the request in all its forms, the answer, and what the session knows."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime

import pytest
from x509_signing import Identity, send

from sts_emulator.idp.certificates import Wish, certify, make_key


def issued(stage, wish, key="ec-p256", by="lab-issuing"):
    """An identity that the lab's authority issues for this one test."""
    authority = stage.identity(by)
    root = [authority.certificate] if by == "lab-issuing" else []
    pair = certify(wish, make_key(key), authority, time.time())
    return Identity(pair.certificate, pair.key, root)


# -- the request ------------------------------------------------------------------------------------------------------


def test_a_certificate_becomes_credentials_of_a_role(stage):
    answer = stage.session("web-01")

    assert answer.status == 201
    assert answer.headers["content-type"] == "application/json"
    assert stage.whoami(answer) == f"arn:aws:sts::{stage.aws.account}:assumed-role/workload/{stage.identity().serial}"


def test_the_whole_answer(stage):
    answer = stage.session("web-01")
    (credentials,) = answer.body["credentialSet"]
    serial = stage.identity().serial

    assert credentials["assumedRoleUser"]["arn"].endswith(f":assumed-role/workload/{serial}")
    assert credentials["assumedRoleUser"]["assumedRoleId"].startswith("AROA")
    assert credentials["assumedRoleUser"]["assumedRoleId"].endswith(f":{serial}")
    assert credentials["roleArn"] == stage.role
    assert credentials["sourceIdentity"] == "CN=web-01.lab.example"
    assert isinstance(credentials["packedPolicySize"], int)
    assert sorted(credentials["credentials"]) == ["accessKeyId", "expiration", "secretAccessKey", "sessionToken"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", credentials["credentials"]["expiration"])
    assert answer.body["subjectArn"].startswith(f"arn:aws:rolesanywhere:us-east-1:{stage.aws.account}:subject/")


@pytest.mark.parametrize(
    "key", ["rsa-2048", "rsa-4096", "ec-p256", "ec-p384", "ec-p521", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"]
)
def test_every_kind_of_key_that_aws_takes(stage, key):
    identity = issued(stage, Wish(subject={"CN": "any"}), key)

    assert stage.session(identity).status == 201


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_the_hash_of_the_certificates_own_signature_does_not_matter(stage, digest):
    assert stage.session(issued(stage, Wish(subject={"CN": "any"}, hash=digest))).status == 201


def test_a_post_quantum_authority(stage):
    anchor = stage.anchor_for("post-quantum-root")

    assert stage.session("vault-01", stage.ask(trustAnchorArn=anchor)).status == 201


def test_the_arns_may_stand_in_the_query_as_aws_signing_helper_has_them(stage):
    ask = stage.ask()
    body = {"durationSeconds": ask.pop("durationSeconds")}

    assert stage.session(ask=body, query=ask).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "application/x-amz-json-1.0"},
        {"content-type": "application/json", "amz-sdk-invocation-id": "1f", "amz-sdk-request": "attempt=1; max=3"},
        {"content-type": "application/json", "x-anything": "a   b  c", "user-agent": "CredHelper/1.8.0"},
    ],
    ids=["none", "python client", "helper", "others"],
)
def test_any_mix_of_signed_headers_and_any_content_type(stage, headers):
    assert stage.session(headers=headers).status == 201


def test_headers_that_are_not_signed_may_come_along(stage):
    headers = {"content-type": "application/json", "user-agent": "CredHelper/1.4.0"}

    assert stage.session(headers=headers, unsigned=("user-agent",)).status == 201


def test_the_path_that_was_asked_for_may_be_signed_instead_of_the_literal_one(stage):
    path = "/" + stage.aws.endpoint_url.split("/", 3)[3] + "/sessions"

    assert stage.session(signed_path=path).status == 201


def test_a_root_in_the_chain_does_no_harm(stage):
    identity = stage.identity()
    identity.chain.append(stage.identity("lab-root").certificate)

    assert stage.session(identity).status == 201


def test_an_intermediate_may_be_the_trust_anchor(stage):
    identity = stage.identity()
    identity.chain.clear()

    assert stage.session(identity, stage.ask(trustAnchorArn=stage.anchor_for("lab-issuing"))).status == 201


def test_either_certificate_of_a_bundle_of_two_will_do(stage):
    anchor = stage.anchor_for("post-quantum-root", "lab-root")

    assert stage.session("web-01", stage.ask(trustAnchorArn=anchor)).status == 201
    assert stage.session("vault-01", stage.ask(trustAnchorArn=anchor)).status == 201


def test_a_chain_of_five_is_the_longest(stage):
    def chain_of(length):
        above, chain = stage.identity("rogue-root"), []
        for depth in range(length):
            wish = Wish(subject={"CN": f"authority {depth}"}, is_authority=True, usages=("key_cert_sign",))
            above = certify(wish, make_key("ec-p256"), above, time.time())
            chain.insert(0, above.certificate)
        leaf = certify(Wish(subject={"CN": "deep"}), make_key("ec-p256"), above, time.time())
        return Identity(leaf.certificate, leaf.key, chain)

    ask = stage.ask(trustAnchorArn=stage.anchor_for("rogue-root"))

    assert stage.session(chain_of(5), ask).status == 201
    assert stage.session(chain_of(6), ask).error == "AccessDeniedException: Untrusted signing certificate"


# -- duration ---------------------------------------------------------------------------------------------------------


def seconds_left(answer, stage):
    ends = datetime.fromisoformat(answer.credentials["Expiration"]).timestamp()
    return round((ends - datetime.fromisoformat(stage.aws.events()[-1]["eventTime"]).timestamp()) / 10) * 10


def test_a_session_lasts_as_long_as_the_shorter_of_request_and_profile(stage):
    stage.set_profile(durationSeconds=1800)

    assert seconds_left(stage.session(ask=stage.ask(durationSeconds=900)), stage) == 900
    assert seconds_left(stage.session(ask=stage.ask(durationSeconds=3600)), stage) == 1800
    assert seconds_left(stage.session(ask=stage.ask(durationSeconds=None)), stage) == 1800


def test_longer_than_the_role_allows_is_refused_in_the_words_of_sts(stage):
    stage.set_profile(durationSeconds=43200)

    answer = stage.session(ask=stage.ask(durationSeconds=7201))

    assert answer.status == 403
    assert answer.error == (
        f"AccessDeniedException: Unable to assume role for {stage.role} "
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    )


@pytest.mark.parametrize("seconds", [899, 43201])
def test_durations_outside_the_models_range_are_invalid(stage, seconds):
    answer = stage.session(ask=stage.ask(durationSeconds=seconds))

    assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "ValidationException")


def test_credentials_expire_by_the_worlds_clock(stage):
    answer = stage.session(ask=stage.ask(durationSeconds=900))
    stage.aws.advance(minutes=16)

    with pytest.raises(Exception, match="ExpiredToken"):
        stage.whoami(answer)


# -- names ------------------------------------------------------------------------------------------------------------


def test_a_profile_may_let_workloads_name_their_sessions(stage):
    stage.set_profile(acceptRoleSessionName=True)

    named = stage.session(ask=stage.ask(roleSessionName="pod-7"))
    unnamed = stage.session()

    assert stage.whoami(named).endswith("/workload/pod-7")
    assert stage.whoami(unnamed).endswith(f"/workload/{stage.identity().serial}")


def test_other_profiles_do_not(stage):
    answer = stage.session(ask=stage.ask(roleSessionName="pod-7"))

    assert answer.error == "AccessDeniedException: Not authorized to set roleSessionName"


def test_the_deprecated_session_name_is_ignored(stage):
    assert stage.whoami(stage.session(ask=stage.ask(sessionName="pod-7"))).endswith(stage.identity().serial)


@pytest.mark.parametrize(("serial", "name"), [(0x1000, "1000"), (0x123, "0123"), (5, "05")])
def test_the_session_is_named_by_the_serial_number_in_whole_bytes(stage, serial, name):
    identity = issued(stage, Wish(subject={"CN": "any"}, serial=serial))

    assert stage.whoami(stage.session(identity)).endswith(f"/workload/{name}")


@pytest.mark.parametrize(
    ("subject", "source_identity"),
    [
        ({"CN": "a" * 61}, "CN=" + "a" * 61),
        ({"CN": "a" * 62}, "a" * 62),
        ({"CN": "a" * 64}, "a" * 64),
        ({"O": "Nobody"}, "ID=0123"),
    ],
    ids=["61", "62", "64", "without CN"],
)
def test_the_source_identity_follows_from_the_common_name(stage, subject, source_identity):
    answer = stage.session(issued(stage, Wish(subject=subject, serial=291)))

    assert answer.body["credentialSet"][0]["sourceIdentity"] == source_identity


# -- what policies see ------------------------------------------------------------------------------------------------


def allow(actions, **condition):
    statement = {"Effect": "Allow", "Principal": {"Service": "rolesanywhere.amazonaws.com"}, "Action": actions}
    return {**statement, "Condition": condition} if condition else statement


ALL = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]


@pytest.mark.parametrize("missing", ALL)
def test_the_trust_policy_must_allow_all_three_actions(stage, missing):
    stage.trust(allow([action for action in ALL if action != missing]))

    answer = stage.session()

    assert answer.status == 403
    assert answer.error == f"AccessDeniedException: Unable to assume role for {stage.role}"


def test_the_three_actions_may_be_allowed_by_separate_statements(stage):
    """The trust policy that EKS hybrid nodes ship with."""
    stage.set_profile(acceptRoleSessionName=True)
    stage.trust(
        allow(
            ["sts:TagSession", "sts:SetSourceIdentity"], StringEquals={"aws:PrincipalTag/x509Subject/O": "Example Lab"}
        ),
        allow(
            "sts:AssumeRole",
            StringEquals={"sts:RoleSessionName": "${aws:PrincipalTag/x509Subject/CN}"},
            ArnEquals={"aws:SourceArn": stage.anchor},
        ),
    )

    assert stage.session(ask=stage.ask(roleSessionName="web-01.lab.example")).status == 201
    assert stage.session(ask=stage.ask(roleSessionName="web-02.lab.example")).status == 403


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:PrincipalTag/x509Subject/CN", "web-01.lab.example"),
        ("aws:PrincipalTag/x509Subject/OU", "Web/Frontend"),
        ("aws:PrincipalTag/x509Subject/O", "Example Lab"),
        ("aws:PrincipalTag/x509Subject/C", "US"),
        ("aws:PrincipalTag/x509Subject/ST", "Washington"),
        ("aws:PrincipalTag/x509Subject/L", "Seattle"),
        ("aws:PrincipalTag/x509Issuer/CN", "Lab Issuing CA"),
        ("aws:PrincipalTag/x509Issuer/OU", "Workloads"),
        ("aws:PrincipalTag/x509SAN/DNS", "web-01.lab.example"),
        ("aws:PrincipalTag/x509SAN/URI", "spiffe://lab.example/web"),
        ("aws:PrincipalTag/x509SAN/Name/CN", "web-01"),
        ("aws:PrincipalTag/x509SAN/Name/O", "Example Lab"),
        ("sts:SourceIdentity", "CN=web-01.lab.example"),
        ("aws:PrincipalIsAWSService", "true"),
    ],
)
def test_the_trust_policy_can_ask_for_what_the_certificate_says(stage, key, value):
    stage.trust(allow(ALL, StringEquals={key: value}))
    assert stage.session().status == 201

    stage.trust(allow(ALL, StringEquals={key: "other"}))
    assert stage.session().status == 403


def test_the_trust_policy_can_ask_for_the_trust_anchor_and_its_account(stage):
    other = stage.anchor_for("lab-root")
    stage.trust(
        allow(ALL, ArnEquals={"aws:SourceArn": stage.anchor}, StringEquals={"aws:SourceAccount": stage.aws.account})
    )

    assert stage.session().status == 201
    assert stage.session(ask=stage.ask(trustAnchorArn=other)).status == 403


def test_the_session_carries_the_tags_and_the_source_identity(stage):
    may = {
        "Effect": "Allow",
        "Action": "iam:GetRole",
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "aws:PrincipalTag/x509Subject/OU": "Web/Frontend",
                "aws:SourceIdentity": "CN=web-01.lab.example",
            }
        },
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    stage.aws.client("iam").put_role_policy(RoleName="workload", PolicyName="own", PolicyDocument=document)

    web = stage.aws.client("iam", stage.session("web-01").credentials)
    batch = stage.aws.client("iam", stage.session("batch-01").credentials)

    assert web.get_role(RoleName="workload")["Role"]["RoleName"] == "workload"
    with pytest.raises(batch.exceptions.ClientError, match="AccessDenied"):
        batch.get_role(RoleName="workload")


def test_values_that_sts_would_not_take_as_tags_are_left_out(stage):
    identity = issued(stage, Wish(subject={"O": "Smith & Sons", "OU": "Web", "CN": "odd"}))
    stage.trust(allow(ALL, Null={"aws:PrincipalTag/x509Subject/O": "true", "aws:PrincipalTag/x509Subject/OU": "false"}))

    assert stage.session(identity).status == 201


# -- attribute mappings -----------------------------------------------------------------------------------------------


def test_a_field_that_is_not_mapped_makes_no_tags(stage):
    profile = stage.profile.rpartition("/")[2]
    stage.control.delete_attribute_mapping(profileId=profile, certificateField="x509Subject")
    stage.trust(allow(ALL, StringEquals={"aws:PrincipalTag/x509Subject/CN": "web-01.lab.example"}))
    assert stage.session().status == 403

    stage.control.put_attribute_mapping(
        profileId=profile, certificateField="x509Subject", mappingRules=[{"specifier": "CN"}]
    )
    assert stage.session().status == 201


def test_a_rule_may_name_a_type_by_its_object_identifier(stage):
    profile = stage.profile.rpartition("/")[2]
    stage.control.delete_attribute_mapping(profileId=profile, certificateField="x509Subject")
    stage.control.put_attribute_mapping(
        profileId=profile, certificateField="x509Subject", mappingRules=[{"specifier": "2.5.4.11"}]
    )
    stage.trust(allow(ALL, StringEquals={"aws:PrincipalTag/x509Subject/2.5.4.11": "Web/Frontend"}))

    assert stage.session().status == 201


def test_a_negated_condition_on_an_unmapped_tag_holds(stage):
    """The user guide warns of it: StringNotEquals is true when the key is absent."""
    stage.control.delete_attribute_mapping(
        profileId=stage.profile.rpartition("/")[2], certificateField="x509Subject", specifiers=["*"]
    )
    stage.trust(allow(ALL, StringNotEquals={"aws:PrincipalTag/x509Subject/CN": "web-01.lab.example"}))

    assert stage.session().status == 201


# -- session policies -------------------------------------------------------------------------------------------------


def permissions(*actions):
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_profiles_session_policy_limits_its_sessions(stage):
    iam = stage.aws.client("iam")
    iam.put_role_policy(
        RoleName="workload", PolicyName="own", PolicyDocument=permissions("iam:GetRole", "iam:ListRoles")
    )
    stage.set_profile(sessionPolicy=permissions("iam:GetRole"))

    mine = stage.aws.client("iam", stage.session().credentials)

    assert mine.get_role(RoleName="workload")
    with pytest.raises(mine.exceptions.ClientError, match="no session policy allows the iam:ListRoles action"):
        mine.list_roles()


def test_so_do_its_managed_policies(stage):
    iam = stage.aws.client("iam")
    iam.put_role_policy(
        RoleName="workload", PolicyName="own", PolicyDocument=permissions("iam:GetRole", "iam:ListRoles")
    )
    arn = iam.create_policy(PolicyName="limit", PolicyDocument=permissions("iam:ListRoles"))["Policy"]["Arn"]
    stage.set_profile(managedPolicyArns=[arn])

    answer = stage.session()
    mine = stage.aws.client("iam", answer.credentials)

    assert answer.body["credentialSet"][0]["packedPolicySize"] > 0
    assert mine.list_roles()
    with pytest.raises(mine.exceptions.ClientError, match="no session policy allows the iam:GetRole action"):
        mine.get_role(RoleName="workload")


def test_a_managed_policy_that_is_gone_refuses_the_session(stage):
    stage.set_profile(managedPolicyArns=[f"arn:aws:iam::{stage.aws.account}:policy/gone"])

    assert stage.session().error.startswith(f"AccessDeniedException: Unable to assume role for {stage.role} ")


# -- trusted identity propagation -------------------------------------------------------------------------------------


def test_a_profile_may_pass_on_the_certificates_identity_as_origin(stage):
    stage.set_profile(tipConfiguration={"status": "ENABLED", "subjectType": "workload", "subjectSource": "x509SAN/URI"})
    may = {
        "Effect": "Allow",
        "Action": "iam:GetRole",
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "aws:OriginIdentity/Subject": "spiffe://lab.example/web",
                "aws:OriginIdentity/SubjectType": "workload",
            }
        },
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    stage.aws.client("iam").put_role_policy(RoleName="workload", PolicyName="own", PolicyDocument=document)

    assert stage.aws.client("iam", stage.session("web-01").credentials).get_role(RoleName="workload")


def test_without_a_value_for_the_origin_there_is_no_session(stage):
    stage.set_profile(tipConfiguration={"status": "ENABLED", "subjectSource": "x509SAN/URI"})

    assert stage.session("batch-01").error == f"AccessDeniedException: Unable to assume role for {stage.role}"


# -- the audit trail --------------------------------------------------------------------------------------------------


def test_the_event_says_which_certificate_was_used(stage):
    identity = stage.identity()
    answer = stage.session()
    (event,) = [event for event in stage.aws.events() if event["eventName"] == "CreateSession"]
    evidence = event["additionalEventData"]["evidence"]

    assert event["userIdentity"]["type"] == "AWSService"
    assert event["requestID"] == answer.headers["x-amzn-requestid"]
    assert evidence["certificate"]["serialNumber"] == identity.serial
    assert evidence["certificate"]["subject"] == identity.certificate.subject.rfc4514_string()
    assert evidence["certificate"]["issuer"] == "CN=Lab Issuing CA,OU=Workloads,O=Example Lab,C=US"
    assert (evidence["trustAnchorArn"], evidence["profileArn"]) == (stage.anchor, stage.profile)
    assert [name.partition(",")[0] for name in evidence["path"]] == [
        *("CN=web-01.lab.example", "CN=Lab Issuing CA", "CN=Lab Root CA"),
    ]


def test_the_event_holds_no_secret(stage):
    answer = stage.session()
    text = json.dumps(stage.aws.events())

    assert answer.credentials["AccessKeyId"] in text
    assert answer.credentials["SecretAccessKey"] not in text
    assert answer.credentials["SessionToken"] not in text


def test_the_subject_remembers_what_it_showed(stage):
    answer = stage.session(ask=stage.ask(instanceProperties={"host": "rack-7"}))
    stage.session()
    identifier = answer.body["subjectArn"].rpartition("/")[2]

    subject = stage.control.get_subject(subjectId=identifier)["subject"]

    assert subject["subjectArn"] == answer.body["subjectArn"]
    assert subject["x509Subject"] == stage.identity().certificate.subject.rfc4514_string()
    assert subject["enabled"] is True
    (shown,) = subject["credentials"]
    assert shown["serialNumber"] == stage.identity().serial
    assert shown["failed"] is False
    assert shown["x509CertificateData"] == (stage.folder / "web-01.pem").read_text()
    (instance,) = subject["instanceProperties"]
    assert (instance["properties"], instance["failed"]) == ({"host": "rack-7"}, False)


def test_a_refused_session_is_remembered_as_failed(stage):
    stage.trust(allow("sts:AssumeRole"))
    assert stage.session().status == 403

    (listed,) = stage.control.list_subjects()["subjects"]
    (shown,) = stage.control.get_subject(subjectId=listed["subjectId"])["subject"]["credentials"]
    assert shown["failed"] is True


def test_two_certificates_of_one_name_are_one_subject(stage):
    first = stage.session("web-01")
    renewed = issued(
        stage,
        Wish(
            subject={
                "C": "US",
                "ST": "Washington",
                "L": "Seattle",
                "O": "Example Lab",
                "OU": ["Web", "Frontend"],
                "CN": "web-01.lab.example",
            }
        ),
    )
    second = stage.session(renewed)

    assert first.body["subjectArn"] == second.body["subjectArn"]
    identifier = first.body["subjectArn"].rpartition("/")[2]
    assert len(stage.control.get_subject(subjectId=identifier)["subject"]["credentials"]) == 2


def test_a_request_without_the_required_arns_is_invalid(stage):
    answer = send(stage.aws.endpoint_url, {"content-type": "application/json"}, b"{}")

    assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "ValidationException")
