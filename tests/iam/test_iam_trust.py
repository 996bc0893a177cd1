"""Trust policies on their way in and out: whom they may name, and what becomes of a name when its owner is gone."""

import json
import urllib.parse

import pytest
from iam_stories import ACCOUNT, EC2, EMPTY, allow, arn, document, refusal, trust

OTHER = "444455556666"

pytestmark = pytest.mark.scenario(f'{EMPTY[:-1]}, "{OTHER}": {{name: prod}}}}')


@pytest.fixture
def iam(aws):
    return aws.client("iam")


def invalid(kind: str, principal: str) -> tuple[int, str, str]:
    return 400, "MalformedPolicyDocument", f'Invalid principal in policy: "{kind}":"{principal}"'


def trusted(iam, role: str = "app"):
    """The principal of a role's trust policy as GetRole shows it."""
    return iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]


def make(iam, principal, role: str = "app", **more):
    return iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(principal, **more))


@pytest.mark.parametrize(
    ("principal", "kind", "named"),
    [
        (arn("user", "none"), "AWS", arn("user", "none")),
        (arn("role", "none"), "AWS", arn("role", "none")),
        (arn("user", "none", OTHER), "AWS", arn("user", "none", OTHER)),
        ([f"arn:aws:iam::{OTHER}:root", arn("role", "none")], "AWS", arn("role", "none")),
        ("nonsense", "AWS", "nonsense"),
        (arn("group", "staff"), "AWS", arn("group", "staff")),
    ],
    ids=["a user", "a role", "a user of another account", "one of two", "no ARN", "a group"],
)
def test_who_is_trusted_must_be_there(iam, principal, kind, named):
    iam.create_group(GroupName="staff")
    ask = {"RoleName": "app", "AssumeRolePolicyDocument": trust({"AWS": principal})}
    assert refusal(iam.create_role, **ask) == invalid(kind, named)
    # and the same when it is changed later
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2)
    ask = {"RoleName": "app", "PolicyDocument": trust({"AWS": principal})}
    assert refusal(iam.update_assume_role_policy, **ask) == invalid(kind, named)
    assert trusted(iam) == {"Service": "ec2.amazonaws.com"}


def test_the_case_of_a_role_counts_where_it_is_trusted(iam):
    iam.create_role(RoleName="Web", Path="/service/", AssumeRolePolicyDocument=EC2)
    for wrong in (arn("role", "Web"), arn("role", "service/web")):
        ask = {"RoleName": "app", "AssumeRolePolicyDocument": trust(wrong)}
        assert refusal(iam.create_role, **ask) == invalid("AWS", wrong)
    make(iam, arn("role", "service/Web"))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (f"arn:aws:iam::{OTHER}:root", f"arn:aws:iam::{OTHER}:root"),
        (OTHER, f"arn:aws:iam::{OTHER}:root"),
        ("arn:aws:iam::999988887777:root", "arn:aws:iam::999988887777:root"),
        ("*", "*"),
    ],
    ids=["an account", "an account by its id", "an account that this world does not know", "everybody"],
)
def test_accounts_are_shown_by_their_root(iam, given, shown):
    make(iam, given)
    assert trusted(iam) == {"AWS": shown}


@pytest.mark.parametrize(
    "service",
    [
        *("ec2.amazonaws.com", "lambda.amazonaws.com", "ecs-tasks.amazonaws.com", "pods.eks.amazonaws.com"),
        *("ec2.amazonaws.com.cn", "logs.eu-west-1.amazonaws.com", "states.us-east-1.amazonaws.com"),
        *("cognito-idp.amazonaws.com", "rolesanywhere.amazonaws.com", "sso.amazonaws.com", "signin.amazonaws.com"),
        *("edgelambda.amazonaws.com", "apigateway.amazonaws.com", "delivery.logs.amazonaws.com", "ssm.amazonaws.com"),
    ],
)
def test_services_are_known(iam, service):
    make(iam, {"Service": service})
    assert trusted(iam) == {"Service": service}


@pytest.mark.parametrize(
    "service", ["bogus.amazonaws.com", "ec2.example.com", "ec2", "amazonaws.com", "ec2.mars-1.amazonaws.com"]
)
def test_a_service_that_does_not_exist_is_not(iam, service):
    ask = {"RoleName": "app", "AssumeRolePolicyDocument": trust({"Service": service})}
    assert refusal(iam.create_role, **ask) == invalid("SERVICE", service)


def test_a_role_may_be_made_before_its_provider(iam):
    make(iam, {"Federated": arn("oidc-provider", "idp.example.com")}, action="sts:AssumeRoleWithWebIdentity")
    assert trusted(iam) == {"Federated": arn("oidc-provider", "idp.example.com")}


# -- what becomes of a name -------------------------------------------------------------------------------------------


@pytest.fixture
def ann(aws, iam):
    """STS as ann, whom the role `app` trusts by name, and bob too."""
    for name in ("ann", "bob"):
        iam.create_user(UserName=name)
    make(iam, [arn("user", "ann"), arn("user", "bob")])
    return aws.client("sts", iam.create_access_key(UserName="ann")["AccessKey"])


def remove(iam, name: str) -> str:
    """Delete a user; its unique id."""
    identifier = iam.get_user(UserName=name)["User"]["UserId"]
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)
    return identifier


def test_a_deleted_user_is_shown_by_id_and_a_namesake_is_not_meant(aws, iam, ann):
    ask = {"RoleArn": arn("role", "app"), "RoleSessionName": "ann"}
    assert ann.assume_role(**ask)["Credentials"]

    # when
    dead = remove(iam, "ann")
    assert trusted(iam) == {"AWS": [dead, arn("user", "bob")]}
    iam.create_user(UserName="ann")
    namesake = aws.client("sts", iam.create_access_key(UserName="ann")["AccessKey"])

    # then
    assert refusal(namesake.assume_role, **ask)[1] == "AccessDenied"
    assert trusted(iam) == {"AWS": [dead, arn("user", "bob")]}
    # and an id that nobody has cannot be saved again
    ask = {"RoleName": "app", "PolicyDocument": trust({"AWS": [dead, arn("user", "bob")]})}
    assert refusal(iam.update_assume_role_policy, **ask) == invalid("AWS", dead)


def test_a_renamed_user_is_still_meant(iam, ann):
    iam.update_user(UserName="ann", NewUserName="anna", NewPath="/people/")
    assert trusted(iam) == {"AWS": [arn("user", "people/anna"), arn("user", "bob")]}
    assert ann.assume_role(RoleArn=arn("role", "app"), RoleSessionName="ann")["Credentials"]


def test_roles_may_trust_each_other_once_both_are_there(iam):
    iam.create_role(RoleName="a", AssumeRolePolicyDocument=EC2)
    make(iam, arn("role", "a"), role="b")
    iam.update_assume_role_policy(RoleName="a", PolicyDocument=trust(arn("role", "b")))
    assert (trusted(iam, "a"), trusted(iam, "b")) == ({"AWS": arn("role", "b")}, {"AWS": arn("role", "a")})


def test_the_trust_of_an_instance_profile_is_shown_alike(iam):
    iam.create_user(UserName="ann")
    make(iam, arn("user", "ann"))
    iam.create_instance_profile(InstanceProfileName="app")
    iam.add_role_to_instance_profile(InstanceProfileName="app", RoleName="app")
    (inside,) = iam.get_instance_profile(InstanceProfileName="app")["InstanceProfile"]["Roles"]
    assert inside["AssumeRolePolicyDocument"] == iam.get_role(RoleName="app")["Role"]["AssumeRolePolicyDocument"]


# -- text -------------------------------------------------------------------------------------------------------------


def test_creation_echoes_the_document_and_reading_tidies_it(iam):
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Condition": {"StringEquals": {"sts:ExternalId": ["x"]}},
                    "Action": ["sts:AssumeRole"],
                    "Principal": {"Service": ["ec2.amazonaws.com"]},
                    "Effect": "Allow",
                    "Sid": "EC2",
                }
            ],
        }
    )
    made = iam.create_role(RoleName="app", AssumeRolePolicyDocument=text)["Role"]
    assert made["AssumeRolePolicyDocument"] == json.loads(text)

    read = iam.get_role(RoleName="app")["Role"]["AssumeRolePolicyDocument"]
    assert read == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "EC2",
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "x"}},
            }
        ],
    }
    assert list(read["Statement"][0]) == ["Sid", "Effect", "Principal", "Action", "Condition"]


def test_documents_are_percent_encoded_as_rfc_3986_says(iam):
    bodies = []
    iam.meta.events.register("after-call.iam", lambda http_response, **_: bodies.append(http_response.text))
    text = allow("s3:GetObject", resource="arn:aws:s3:::a b/~ü+*'()!")
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=text)
    iam.get_user_policy(UserName="ann", PolicyName="p")

    encoded = bodies[-1].partition("<PolicyDocument>")[2].partition("</PolicyDocument>")[0]
    assert urllib.parse.unquote(encoded) == text
    assert "a%20b" in encoded
    assert "~%5Cu00fc%2B%2A%27%28%29%21" in encoded


def test_inline_policies_are_given_back_as_they_were_written(iam):
    text = '{ "Statement" : {"Effect":"Allow",\n\t"Action":"s3:*", "Resource":["*"]}, "Version":"2012-10-17"}'
    bodies = []
    iam.meta.events.register("after-call.iam", lambda http_response, **_: bodies.append(http_response.text))
    make(iam, f"arn:aws:iam::{ACCOUNT}:root")
    iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=text)
    iam.get_role_policy(RoleName="app", PolicyName="p")
    encoded = bodies[-1].partition("<PolicyDocument>")[2].partition("</PolicyDocument>")[0]
    assert urllib.parse.unquote(encoded) == text


# -- shared issuers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}},
        {"StringLike": {"token.actions.githubusercontent.com:sub": "*"}},
    ],
    ids=["none", "the audience alone", "every subject"],
)
def test_an_issuer_that_everybody_shares_must_be_narrowed_to_ones_own(iam, condition):
    provider = {"Federated": arn("oidc-provider", "token.actions.githubusercontent.com")}
    more = {"Condition": condition} if condition else {}
    text = trust(provider, "sts:AssumeRoleWithWebIdentity", **more)
    assert refusal(iam.create_role, RoleName="app", AssumeRolePolicyDocument=text)[:2] == (
        400,
        "MalformedPolicyDocument",
    )


def test_the_principal_may_be_everybody_only_as_a_kind(iam):
    wide = document({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"})
    assert refusal(iam.create_role, RoleName="app", AssumeRolePolicyDocument=wide)[:2] == (
        400,
        "MalformedPolicyDocument",
    )
    make(iam, "*")
