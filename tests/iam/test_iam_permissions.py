"""Who may do what in IAM: every operation asks first, with IAM's condition keys, and refuses in IAM's words."""

import pytest
from iam_stories import ACCOUNT, EC2, EMPTY, allow, arn, document, refusal, result, trust

OTHER = "444455556666"
PROD = f'{EMPTY[:-1]}, "{OTHER}": {{name: prod}}}}'
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"

pytestmark = pytest.mark.scenario(PROD)


@pytest.fixture
def iam(aws):
    return aws.client("iam")


@pytest.fixture
def ann(aws, iam):
    """IAM as ann; `ann.may(policy)` is all that she may do."""
    iam.create_user(UserName="ann")
    client = aws.client("iam", iam.create_access_key(UserName="ann")["AccessKey"])
    client.may = lambda *policies: [
        iam.put_user_policy(UserName="ann", PolicyName=f"p{number}", PolicyDocument=policy)
        for number, policy in enumerate(policies)
    ]
    return client


def denial(call, **arguments) -> str:
    """What a denial says of action, resource and reason."""
    status, code, message = refusal(call, **arguments)
    assert (status, code) == (403, "AccessDenied")
    opening = f"User: {arn('user', 'ann')} is not authorized to perform: "
    assert message.startswith(opening)
    return message.removeprefix(opening).partition(". Go to ")[0]


def tags(**pairs: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


# -- words ------------------------------------------------------------------------------------------------------------

NAMED = {
    # What is to be made is named by its ARN, what is there by its kind and name (quoted in many issues; 2024-2026).
    "create_user": ({"UserName": "bob"}, "iam:CreateUser", arn("user", "bob")),
    "create_role": ({"RoleName": "app", "AssumeRolePolicyDocument": EC2}, "iam:CreateRole", arn("role", "app")),
    "create_group": ({"GroupName": "staff"}, "iam:CreateGroup", arn("group", "staff")),
    "create_instance_profile": (
        {"InstanceProfileName": "app"},
        "iam:CreateInstanceProfile",
        arn("instance-profile", "app"),
    ),
    "create_policy": ({"PolicyName": "read", "PolicyDocument": allow("s3:*")}, "iam:CreatePolicy", "policy read"),
    "get_user": ({"UserName": "bob"}, "iam:GetUser", "user bob"),
    "get_role": ({"RoleName": "app"}, "iam:GetRole", "role app"),
    "get_group": ({"GroupName": "staff"}, "iam:GetGroup", "group staff"),
    "get_instance_profile": ({"InstanceProfileName": "app"}, "iam:GetInstanceProfile", "instance profile app"),
    "get_policy": ({"PolicyArn": READ_ONLY}, "iam:GetPolicy", f"policy {READ_ONLY}"),
    "attach_role_policy": ({"RoleName": "app", "PolicyArn": READ_ONLY}, "iam:AttachRolePolicy", "role app"),
    "create_access_key": ({"UserName": "bob"}, "iam:CreateAccessKey", "user bob"),
    "add_user_to_group": ({"GroupName": "staff", "UserName": "bob"}, "iam:AddUserToGroup", "group staff"),
    "list_users": ({}, "iam:ListUsers", f"arn:aws:iam::{ACCOUNT}:user/"),
    "list_roles": ({}, "iam:ListRoles", f"arn:aws:iam::{ACCOUNT}:role/"),
    "list_policies": ({}, "iam:ListPolicies", "policy path /"),
    "get_account_summary": ({}, "iam:GetAccountSummary", "*"),
}


@pytest.mark.parametrize("operation", NAMED)
def test_a_denial_names_action_and_resource(ann, operation):
    arguments, action, resource = NAMED[operation]
    because = f"because no identity-based policy allows the {action} action"
    assert denial(getattr(ann, operation), **arguments) == f"{action} on resource: {resource} {because}"


def test_a_denial_says_which_policy_denies(ann, iam):
    ann.may(allow("iam:*"), document({"Effect": "Deny", "Action": "iam:Delete*", "Resource": "*"}))
    assert denial(ann.delete_user, UserName="bob") == (
        "iam:DeleteUser on resource: user bob with an explicit deny in an identity-based policy"
    )
    iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=READ_ONLY)
    assert denial(ann.create_user, UserName="bob") == (
        f"iam:CreateUser on resource: {arn('user', 'bob')} because no permissions boundary allows the iam:CreateUser "
        "action"
    )


def test_who_may_not_look_learns_nothing(ann, iam):
    iam.create_user(UserName="bob")
    there, not_there = denial(ann.get_user, UserName="bob"), denial(ann.get_user, UserName="carol")
    assert there.replace("bob", "carol") == not_there


# -- oneself ----------------------------------------------------------------------------------------------------------


def test_a_call_without_a_name_means_the_caller(ann, iam):
    ann.may(allow("iam:*", resource=arn("user", "${aws:username}")))

    assert ann.get_user()["User"]["UserName"] == "ann"
    second = ann.create_access_key()["AccessKey"]
    assert second["UserName"] == "ann"
    assert len(ann.list_access_keys()["AccessKeyMetadata"]) == 2
    ann.update_access_key(AccessKeyId=second["AccessKeyId"], Status="Inactive")
    ann.delete_access_key(AccessKeyId=second["AccessKeyId"])
    assert ann.list_mfa_devices()["MFADevices"] == []
    # and nobody else
    iam.create_user(UserName="bob")
    assert denial(ann.create_access_key, UserName="bob").startswith("iam:CreateAccessKey on resource: user bob")


def test_even_oneself_takes_permission(ann):
    assert denial(ann.get_user).startswith("iam:GetUser on resource: user ann")
    assert denial(ann.create_access_key).startswith("iam:CreateAccessKey on resource: user ann")


def test_a_role_must_say_whom_it_means(aws, iam):
    iam.create_user(UserName="ann")
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=trust(arn("user", "ann")))
    iam.attach_role_policy(RoleName="app", PolicyArn=ADMINISTRATOR)
    sts = aws.client("sts", iam.create_access_key(UserName="ann")["AccessKey"])
    session = sts.assume_role(RoleArn=arn("role", "app"), RoleSessionName="ann")["Credentials"]
    assert refusal(aws.client("iam", session).get_user) == (
        400,
        "ValidationError",
        "Must specify userName when calling with non-User credentials",
    )


def test_root_does_everything_in_its_account_and_nothing_in_another(aws, iam):
    iam.create_user(UserName="ann")
    prod = aws.client("iam", aws.credentials(account=OTHER))
    assert prod.list_users()["Users"] == []
    assert refusal(prod.get_user, UserName="ann")[:2] == (404, "NoSuchEntity")
    assert iam.get_user()["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    key = iam.create_access_key()["AccessKey"]
    assert aws.client("sts", key).get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


# -- condition keys ---------------------------------------------------------------------------------------------------


def test_only_certain_policies_may_be_attached(ann, iam):
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2)
    ann.may(
        allow("iam:AttachRolePolicy", "iam:DetachRolePolicy", Condition={"ArnEquals": {"iam:PolicyARN": READ_ONLY}})
    )

    ann.attach_role_policy(RoleName="app", PolicyArn=READ_ONLY)
    ann.detach_role_policy(RoleName="app", PolicyArn=READ_ONLY)
    assert denial(ann.attach_role_policy, RoleName="app", PolicyArn=ADMINISTRATOR).startswith("iam:AttachRolePolicy")


def test_roles_may_be_made_only_within_a_boundary(ann):
    ann.may(
        allow(
            *("iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"),
            Condition={"StringEquals": {"iam:PermissionsBoundary": READ_ONLY}},
        )
    )
    made = {"AssumeRolePolicyDocument": EC2}

    assert denial(ann.create_role, RoleName="free", **made).startswith("iam:CreateRole")
    ann.create_role(RoleName="app", PermissionsBoundary=READ_ONLY, **made)
    # what was made within it, may be changed
    ann.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=allow("s3:*"))
    # but the boundary not be widened
    widened = {"RoleName": "app", "PermissionsBoundary": ADMINISTRATOR}
    assert denial(ann.put_role_permissions_boundary, **widened).startswith("iam:PutRolePermissionsBoundary")
    assert denial(ann.delete_role_permissions_boundary, RoleName="app").startswith("iam:DeleteRolePermissionsBoundary")


def test_what_is_not_within_the_boundary_is_not_changed(ann, iam):
    iam.create_role(RoleName="free", AssumeRolePolicyDocument=EC2)
    ann.may(allow("iam:PutRolePolicy", Condition={"StringEquals": {"iam:PermissionsBoundary": READ_ONLY}}))
    asked = {"RoleName": "free", "PolicyName": "p", "PolicyDocument": allow("s3:*")}
    assert denial(ann.put_role_policy, **asked).startswith("iam:PutRolePolicy on resource: role free")


def test_tags_at_birth_are_conditions_and_take_permission_themselves(ann):
    labelled = {"StringEquals": {"aws:RequestTag/team": "shop"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    made = {"RoleName": "app", "AssumeRolePolicyDocument": EC2}

    ann.may(allow("iam:CreateRole", Condition=labelled))
    assert denial(ann.create_role, **made).startswith("iam:CreateRole")
    assert denial(ann.create_role, **made, Tags=tags(team="bank")).startswith("iam:CreateRole")
    assert denial(ann.create_role, **made, Tags=tags(team="shop", x="y")).startswith("iam:CreateRole")
    assert denial(ann.create_role, **made, Tags=tags(team="shop")).startswith(
        f"iam:TagRole on resource: {arn('role', 'app')}"
    )

    ann.may(allow("iam:CreateRole", "iam:TagRole", Condition=labelled))
    ann.create_role(**made, Tags=tags(team="shop"))


@pytest.mark.parametrize("key", ["aws:ResourceTag/team", "iam:ResourceTag/team"])
def test_things_may_be_told_apart_by_their_tags(ann, iam, key):
    iam.create_role(RoleName="ours", AssumeRolePolicyDocument=EC2, Tags=tags(team="shop"))
    iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=EC2, Tags=tags(team="bank"))
    ann.may(allow("iam:*", Condition={"StringEquals": {key: "shop"}}))

    ann.update_role(RoleName="ours", Description="ours")
    assert denial(ann.update_role, RoleName="theirs", Description="ours").startswith("iam:UpdateRole")
    assert denial(ann.delete_role, RoleName="theirs").startswith("iam:DeleteRole on resource: role theirs")


def test_tags_may_not_be_taken_to_get_in(ann, iam):
    iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=EC2, Tags=tags(team="bank"))
    ann.may(
        allow("iam:TagRole", "iam:UntagRole"),
        document(
            {
                "Effect": "Deny",
                "Action": ["iam:TagRole", "iam:UntagRole"],
                "Resource": "*",
                "Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}},
            }
        ),
    )
    ann.tag_role(RoleName="theirs", Tags=tags(note="a"))
    assert "with an explicit deny" in denial(ann.tag_role, RoleName="theirs", Tags=tags(team="shop"))
    assert "with an explicit deny" in denial(ann.untag_role, RoleName="theirs", TagKeys=["team"])


def test_a_role_is_passed_to_ec2_only_with_permission(ann, iam):
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2)
    iam.create_instance_profile(InstanceProfileName="app")
    pair = {"InstanceProfileName": "app", "RoleName": "app"}

    ann.may(allow("iam:AddRoleToInstanceProfile"))
    assert denial(ann.add_role_to_instance_profile, **pair).startswith(
        f"iam:PassRole on resource: {arn('role', 'app')} because"
    )
    passing = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    ann.may(allow("iam:AddRoleToInstanceProfile"), allow("iam:PassRole", Condition=passing))
    ann.add_role_to_instance_profile(**pair)


def test_a_service_makes_its_role_only_for_itself(ann):
    ann.may(
        allow("iam:CreateServiceLinkedRole", Condition={"StringEquals": {"iam:AWSServiceName": "batch.amazonaws.com"}})
    )
    ann.create_service_linked_role(AWSServiceName="batch.amazonaws.com")
    assert denial(ann.create_service_linked_role, AWSServiceName="ecs.amazonaws.com").startswith(
        "iam:CreateServiceLinkedRole"
    )


def test_paths_are_resources(ann, iam):
    iam.create_user(UserName="carol", Path="/people/")
    iam.create_user(UserName="robot")
    ann.may(allow("iam:*", resource=arn("user", "people/*")))
    ann.update_user(UserName="carol", NewUserName="caroline")
    assert denial(ann.delete_user, UserName="robot").startswith("iam:DeleteUser on resource: user robot")
    # moving out of the path takes permission for where it goes
    assert denial(ann.update_user, UserName="caroline", NewPath="/").startswith("iam:UpdateUser")
    # a name that is free is judged by the ARN that it would have
    ann.create_user(UserName="dave", Path="/people/")
    assert denial(ann.create_user, UserName="dan").startswith("iam:CreateUser")


def test_an_organization_has_the_last_word(aws):
    aws.load(f"""
accounts:
  "{ACCOUNT}": {{name: dev}}
  "{OTHER}": {{name: management}}
organization:
  management: "{OTHER}"
  service_control_policies:
    no-users: [{{Effect: Deny, Action: iam:CreateUser, Resource: "*"}}]
  scps: no-users
  accounts: {{"{ACCOUNT}": {{}}}}
""")
    iam = aws.client("iam")
    status, code, message = refusal(iam.create_user, UserName="ann")
    assert (status, code) == (403, "AccessDenied")
    assert "with an explicit deny in a service control policy" in message
    iam.create_group(GroupName="staff")


# -- sessions ---------------------------------------------------------------------------------------------------------


def test_a_federated_user_may_not_call_iam(aws, iam, ann):
    ann.may(allow("*"))
    sts = aws.client("sts", iam.create_access_key(UserName="ann")["AccessKey"])
    session = sts.get_federation_token(Name="guest", Policy=allow("iam:*"))["Credentials"]
    assert refusal(aws.client("iam", session).list_users)[:2] == (403, "InvalidClientTokenId")


def test_a_role_that_is_deleted_or_emptied_loses_its_permissions_at_once(aws, iam):
    iam.create_user(UserName="ann")
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=trust(arn("user", "ann")))
    iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=allow("iam:ListUsers"))
    sts = aws.client("sts", iam.create_access_key(UserName="ann")["AccessKey"])
    session = aws.client("iam", sts.assume_role(RoleArn=arn("role", "app"), RoleSessionName="ann")["Credentials"])
    assert result(session.list_users())["Users"]

    iam.delete_role_policy(RoleName="app", PolicyName="p")
    assert refusal(session.list_users)[1] == "AccessDenied"
    iam.delete_role(RoleName="app")
    assert refusal(session.list_users)[1] == "InvalidClientTokenId"
