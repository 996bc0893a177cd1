"""What all things in IAM have in common: which members results show, names, tags, pages and quotas.

Members as recorded of AWS (docs/aws/iam.md, "Members of results"): snapshots of SDK replies differ when one is added or
missing.
"""

import json

import pytest
from iam_stories import EC2, EMPTY, allow, arn, refusal, result

pytestmark = pytest.mark.scenario(EMPTY)

BOUNDARY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
TAGS = [{"Key": "team", "Value": "shop"}]
USER = {"Path", "UserName", "UserId", "Arn", "CreateDate"}
GROUP = {"Path", "GroupName", "GroupId", "Arn", "CreateDate"}
ROLE = {"Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument"}
POLICY = {
    *("PolicyName", "PolicyId", "Arn", "Path", "DefaultVersionId", "AttachmentCount"),
    *("PermissionsBoundaryUsageCount", "IsAttachable", "CreateDate", "UpdateDate"),
}
PROFILE = {"Path", "InstanceProfileName", "InstanceProfileId", "Arn", "CreateDate", "Roles"}


@pytest.fixture
def iam(aws):
    return aws.client("iam")


# -- members ----------------------------------------------------------------------------------------------------------


def test_members_of_a_plain_role(iam):
    made = iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2)["Role"]
    assert set(made) == ROLE
    assert set(iam.get_role(RoleName="app")["Role"]) == ROLE | {"MaxSessionDuration", "RoleLastUsed"}
    assert set(iam.list_roles()["Roles"][0]) == ROLE | {"MaxSessionDuration"}
    assert set(iam.update_role_description(RoleName="app", Description="d")["Role"]) == ROLE | {"Description"}


def test_members_of_a_role_with_everything(iam):
    made = iam.create_role(
        RoleName="app",
        AssumeRolePolicyDocument=EC2,
        Description="d",
        MaxSessionDuration=7200,
        PermissionsBoundary=BOUNDARY,
        Tags=TAGS,
    )["Role"]
    assert set(made) == ROLE | {"PermissionsBoundary", "Tags"}
    assert set(iam.get_role(RoleName="app")["Role"]) == ROLE | {
        *("MaxSessionDuration", "RoleLastUsed", "Description", "PermissionsBoundary", "Tags")
    }
    assert set(iam.list_roles()["Roles"][0]) == ROLE | {"MaxSessionDuration", "Description"}


def test_members_of_a_user(iam):
    assert set(iam.create_user(UserName="ann")["User"]) == USER
    assert set(iam.get_user(UserName="ann")["User"]) == USER
    made = iam.create_user(UserName="bob", PermissionsBoundary=BOUNDARY, Tags=TAGS)["User"]
    assert set(made) == USER | {"PermissionsBoundary", "Tags"}
    assert set(iam.get_user(UserName="bob")["User"]) == USER | {"PermissionsBoundary", "Tags"}
    assert [set(user) for user in iam.list_users()["Users"]] == [USER, USER]


def test_members_of_a_group(iam):
    assert set(iam.create_group(GroupName="staff")["Group"]) == GROUP
    assert set(result(iam.get_group(GroupName="staff"))) == {"Group", "Users", "IsTruncated"}


def test_members_of_a_policy(iam):
    made = iam.create_policy(PolicyName="p", PolicyDocument=allow("s3:*"), Description="d")["Policy"]
    assert set(made) == POLICY
    assert set(iam.get_policy(PolicyArn=made["Arn"])["Policy"]) == POLICY | {"Description", "Tags"}
    assert set(iam.list_policies(Scope="Local")["Policies"][0]) == POLICY
    assert set(iam.get_policy_version(PolicyArn=made["Arn"], VersionId="v1")["PolicyVersion"]) == {
        *("Document", "VersionId", "IsDefaultVersion", "CreateDate")
    }
    assert set(iam.list_policy_versions(PolicyArn=made["Arn"])["Versions"][0]) == {
        *("VersionId", "IsDefaultVersion", "CreateDate")
    }


def test_members_of_an_instance_profile(iam):
    assert set(iam.create_instance_profile(InstanceProfileName="app")["InstanceProfile"]) == PROFILE
    assert set(iam.get_instance_profile(InstanceProfileName="app")["InstanceProfile"]) == PROFILE | {"Tags"}
    assert set(iam.list_instance_profiles()["InstanceProfiles"][0]) == PROFILE


def test_members_of_an_access_key(iam):
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    shown = {"UserName", "AccessKeyId", "Status", "CreateDate"}
    assert set(key) == shown | {"SecretAccessKey"}
    assert set(iam.list_access_keys(UserName="ann")["AccessKeyMetadata"][0]) == shown
    assert iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"] == {
        "ServiceName": "N/A",
        "Region": "N/A",
    }


def test_ids_say_what_they_are_of(iam):
    made = {
        "AIDA": iam.create_user(UserName="ann")["User"]["UserId"],
        "AGPA": iam.create_group(GroupName="staff")["Group"]["GroupId"],
        "AROA": iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2)["Role"]["RoleId"],
        "ANPA": iam.create_policy(PolicyName="p", PolicyDocument=allow("s3:*"))["Policy"]["PolicyId"],
        "AIPA": iam.create_instance_profile(InstanceProfileName="app")["InstanceProfile"]["InstanceProfileId"],
        "AKIA": iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"],
    }
    for prefix, identifier in made.items():
        assert identifier.startswith(prefix)
        assert len(identifier) == (20 if prefix == "AKIA" else 21)


# -- names ------------------------------------------------------------------------------------------------------------


def test_names_are_unique_whatever_their_case(iam):
    iam.create_user(UserName="Ann")
    iam.create_group(GroupName="Staff")
    iam.create_role(RoleName="App", AssumeRolePolicyDocument=EC2)
    iam.create_policy(PolicyName="Read", PolicyDocument=allow("s3:*"))
    iam.create_instance_profile(InstanceProfileName="App")
    for call, arguments in (
        (iam.create_user, {"UserName": "ann"}),
        (iam.create_group, {"GroupName": "STAFF"}),
        (iam.create_role, {"RoleName": "app", "Path": "/x/", "AssumeRolePolicyDocument": EC2}),
        (iam.create_policy, {"PolicyName": "read", "Path": "/x/", "PolicyDocument": allow("s3:*")}),
        (iam.create_instance_profile, {"InstanceProfileName": "APP"}),
    ):
        assert refusal(call, **arguments)[:2] == (409, "EntityAlreadyExists")


def test_things_are_found_whatever_the_case_and_shown_as_they_were_named(iam):
    iam.create_user(UserName="Ann")
    iam.create_role(RoleName="App", AssumeRolePolicyDocument=EC2)
    assert iam.get_user(UserName="aNN")["User"]["UserName"] == "Ann"
    assert iam.get_role(RoleName="app")["Role"]["Arn"] == arn("role", "App")
    iam.put_role_policy(RoleName="APP", PolicyName="Read", PolicyDocument=allow("s3:GetObject"))
    iam.put_role_policy(RoleName="app", PolicyName="read", PolicyDocument=allow("s3:PutObject"))
    assert iam.list_role_policies(RoleName="App")["PolicyNames"] == ["Read"]
    iam.delete_role_policy(RoleName="App", PolicyName="READ")


def test_the_case_of_a_name_may_be_changed(iam):
    iam.create_user(UserName="ann")
    iam.create_group(GroupName="staff")
    iam.update_user(UserName="ann", NewUserName="Ann")
    iam.update_group(GroupName="staff", NewGroupName="Staff")
    assert iam.get_user(UserName="ann")["User"]["Arn"] == arn("user", "Ann")
    assert iam.get_group(GroupName="staff")["Group"]["Arn"] == arn("group", "Staff")


def test_a_name_that_is_taken_is_not_taken_over(iam):
    iam.create_user(UserName="ann")
    iam.create_user(UserName="bob")
    assert refusal(iam.update_user, UserName="bob", NewUserName="ANN") == (
        409,
        "EntityAlreadyExists",
        "User with name ANN already exists.",
    )
    assert iam.get_user(UserName="bob")["User"]["UserName"] == "bob"


# -- tags -------------------------------------------------------------------------------------------------------------

TAGGED = {
    "user": ("UserName", "app", lambda iam: iam.create_user(UserName="app")),
    "role": ("RoleName", "app", lambda iam: iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2)),
    "policy": (
        "PolicyArn",
        arn("policy", "app"),
        lambda iam: iam.create_policy(PolicyName="app", PolicyDocument=allow("s3:*")),
    ),
    "instance_profile": (
        "InstanceProfileName",
        "app",
        lambda iam: iam.create_instance_profile(InstanceProfileName="app"),
    ),
    "mfa_device": (
        "SerialNumber",
        arn("mfa", "app"),
        lambda iam: iam.create_virtual_mfa_device(VirtualMFADeviceName="app"),
    ),
    "open_id_connect_provider": (
        "OpenIDConnectProviderArn",
        arn("oidc-provider", "idp.example.com"),
        lambda iam: iam.create_open_id_connect_provider(Url="https://idp.example.com"),
    ),
}


@pytest.fixture(params=TAGGED)
def tagged(iam, request):
    """Tag, untag and list of one kind of thing, which is there."""
    member, value, make = TAGGED[request.param]
    make(iam)
    named = {member: value}

    class Tags:
        folds_case = request.param in ("user", "role")

        def add(self, **pairs: str) -> None:
            listed = [{"Key": key, "Value": text} for key, text in pairs.items()]
            getattr(iam, f"tag_{request.param}")(**named, Tags=listed)

        def remove(self, *keys: str) -> None:
            getattr(iam, f"untag_{request.param}")(**named, TagKeys=list(keys))

        def all(self, **more) -> dict:
            return result(getattr(iam, f"list_{request.param}_tags")(**named, **more))

    return Tags()


def test_tags_are_added_changed_and_removed(tagged):
    tagged.add(team="shop", stage="dev")
    tagged.add(stage="prod")
    assert tagged.all() == {
        "Tags": [{"Key": "stage", "Value": "prod"}, {"Key": "team", "Value": "shop"}],
        "IsTruncated": False,
    }
    tagged.remove("stage", "nothing")
    assert tagged.all()["Tags"] == [{"Key": "team", "Value": "shop"}]


def test_the_case_of_a_tag_key_counts_except_for_users_and_roles(tagged):
    tagged.add(team="shop")
    tagged.add(TEAM="bank")
    keys = [tag["Key"] for tag in tagged.all()["Tags"]]
    assert keys == (["TEAM"] if tagged.folds_case else ["TEAM", "team"])


def test_fifty_tags_and_no_more(tagged):
    tagged.add(**{f"key-{number:02}": "" for number in range(50)})
    tagged.add(**{"key-07": "seven"})
    assert refusal(tagged.add, one="more") == (
        409,
        "LimitExceeded",
        "The number of tags has reached the maximum limit.",
    )
    first = tagged.all(MaxItems=30)
    rest = tagged.all(MaxItems=30, Marker=first["Marker"])
    assert (len(first["Tags"]), len(rest["Tags"]), rest["IsTruncated"]) == (30, 20, False)


# -- pages ------------------------------------------------------------------------------------------------------------


def test_lists_come_in_pages(iam):
    for number in range(5):
        iam.create_user(UserName=f"user-{number}")

    first = iam.list_users(MaxItems=2)
    assert first["IsTruncated"]
    assert [user["UserName"] for user in first["Users"]] == ["user-0", "user-1"]
    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Users"]) for page in pages] == [2, 2, 1]
    assert "Marker" not in pages[-1]


def test_a_marker_belongs_to_its_list(iam):
    for number in range(2):
        iam.create_user(UserName=f"user-{number}")
        iam.create_group(GroupName=f"group-{number}")
    marker = iam.list_users(MaxItems=1)["Marker"]
    invalid = (400, "ValidationError", "Invalid Marker.")
    assert refusal(iam.list_groups, Marker=marker) == invalid
    assert refusal(iam.list_users, Marker=marker[:-2]) == invalid
    assert refusal(iam.list_users, Marker="0") == invalid


def test_awss_own_policies_are_listed_and_read(iam):
    everything = [
        policy for page in iam.get_paginator("list_policies").paginate(Scope="AWS") for policy in page["Policies"]
    ]
    assert len(everything) > 300
    names = {policy["PolicyName"]: policy for policy in everything}
    assert names["AdministratorAccess"]["Arn"] == "arn:aws:iam::aws:policy/AdministratorAccess"
    assert names["AWSLambdaBasicExecutionRole"]["Path"] == "/service-role/"
    version = names["ReadOnlyAccess"]["DefaultVersionId"]
    read = iam.get_policy_version(PolicyArn=BOUNDARY, VersionId=version)["PolicyVersion"]
    assert read["IsDefaultVersion"]
    assert {statement["Effect"] for statement in read["Document"]["Statement"]} == {"Allow"}


# -- quotas -----------------------------------------------------------------------------------------------------------


def test_ten_policies_attached_to_one(iam):
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2)
    made = [
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=allow("s3:*"))["Policy"]["Arn"]
        for number in range(11)
    ]
    for policy in made[:10]:
        iam.attach_role_policy(RoleName="app", PolicyArn=policy)
    assert refusal(iam.attach_role_policy, RoleName="app", PolicyArn=made[10]) == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for PoliciesPerRole: 10",
    )
    iam.attach_role_policy(RoleName="app", PolicyArn=made[0])


@pytest.mark.parametrize(("kind", "quota"), [("user", 2048), ("group", 5120), ("role", 10240)])
def test_inline_policies_count_together_without_their_white_space(iam, kind, quota):
    make = {"role": {"AssumeRolePolicyDocument": EC2}}.get(kind, {})
    named = {f"{kind.title()}Name": "app"}
    getattr(iam, f"create_{kind}")(**named, **make)
    put = getattr(iam, f"put_{kind}_policy")
    base = len(json.dumps(json.loads(allow("s3:GetObject", Sid="")), separators=(",", ":")))

    def sized(length: int) -> str:
        return json.dumps(json.loads(allow("s3:GetObject", Sid="x" * (length - base))), indent=8)

    put(**named, PolicyName="one", PolicyDocument=sized(quota - 200))
    put(**named, PolicyName="two", PolicyDocument=sized(200))
    put(**named, PolicyName="two", PolicyDocument=sized(199))
    assert refusal(put, **named, PolicyName="two", PolicyDocument=sized(201)) == (
        409,
        "LimitExceeded",
        f"Maximum policy size of {quota} bytes exceeded for {kind} app",
    )
    assert getattr(iam, f"list_{kind}_policies")(**named)["PolicyNames"] == ["one", "two"]


def test_a_managed_policy_is_so_long_at_most_without_its_white_space(iam):
    def sized(length: int, **layout) -> str:
        base = len(json.dumps(json.loads(allow("s3:*", Sid="")), separators=(",", ":")))
        return json.dumps(json.loads(allow("s3:*", Sid="x" * (length - base))), **layout)

    iam.create_policy(PolicyName="longest", PolicyDocument=sized(6144, indent=8))
    assert refusal(iam.create_policy, PolicyName="longer", PolicyDocument=sized(6145)) == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for PolicySize: 6144",
    )


def test_a_user_is_in_ten_groups_at_most(iam):
    iam.create_user(UserName="ann")
    for number in range(11):
        iam.create_group(GroupName=f"g{number}")
    for number in range(10):
        iam.add_user_to_group(GroupName=f"g{number}", UserName="ann")
    assert refusal(iam.add_user_to_group, GroupName="g10", UserName="ann") == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for GroupsPerUser: 10",
    )


def test_three_hundred_groups_in_an_account(iam):
    for number in range(300):
        iam.create_group(GroupName=f"g{number}")
    assert refusal(iam.create_group, GroupName="one-more") == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for GroupsPerAccount: 300",
    )


def test_a_hundred_client_ids_of_a_provider(iam):
    provider = iam.create_open_id_connect_provider(
        Url="https://idp.example.com", ClientIDList=[f"client-{number}" for number in range(100)]
    )["OpenIDConnectProviderArn"]
    named = {"OpenIDConnectProviderArn": provider}
    iam.add_client_id_to_open_id_connect_provider(**named, ClientID="client-7")
    assert refusal(iam.add_client_id_to_open_id_connect_provider, **named, ClientID="one-more") == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100",
    )
