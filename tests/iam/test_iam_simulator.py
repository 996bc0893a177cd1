"""IAM's policy simulator: what would be allowed, by whom, and why; for roles with their trust policies.

Positions and context keys as AWS was recorded to give them: cases/simulation.json, cases/context_keys.json.
"""

import json

import pytest
from iam_stories import ACCOUNT, CASES, EMPTY, allow, arn, document, refusal, result, trust

OTHER = "444455556666"
PROD = f'{EMPTY[:-1]}, "{OTHER}": {{name: prod}}}}'
POSITIONS = json.loads((CASES / "simulation.json").read_text("utf-8"))["positions"]
CONTEXT_KEYS = json.loads((CASES / "context_keys.json").read_text("utf-8"))["cases"]

pytestmark = pytest.mark.scenario(PROD)


@pytest.fixture
def iam(aws):
    iam = aws.client("iam")
    iam.create_user(UserName="ann", Tags=[{"Key": "team", "Value": "shop"}])
    return iam


@pytest.fixture
def prod(aws):
    return aws.client("iam", aws.credentials(account=OTHER))


def custom(iam, action: str, *policies: str, **more) -> dict:
    (result,) = iam.simulate_custom_policy(PolicyInputList=list(policies), ActionNames=[action], **more)[
        "EvaluationResults"
    ]
    return result


def principal(iam, action: str, source: str = arn("user", "ann"), **more) -> dict:
    (result,) = iam.simulate_principal_policy(PolicySourceArn=source, ActionNames=[action], **more)["EvaluationResults"]
    return result


def spans(result: dict) -> list:
    return [
        [[entry[end]["Line"], entry[end]["Column"]] for end in ("StartPosition", "EndPosition")]
        for entry in result["MatchedStatements"]
    ]


def given(**context: str) -> list[dict]:
    return [
        {"ContextKeyName": key.replace("__", ":"), "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in context.items()
    ]


# -- policies that are given ------------------------------------------------------------------------------------------


def test_a_whole_result(iam):
    policy = allow("s3:GetObject", resource="arn:aws:s3:::shop/*")
    answer = result(
        iam.simulate_custom_policy(
            PolicyInputList=[policy],
            ActionNames=["s3:GetObject", "s3:PutObject"],
            ResourceArns=["arn:aws:s3:::shop/*"],
        )
    )

    matched = {
        "SourcePolicyId": "PolicyInputList.1",
        "SourcePolicyType": "IAM Policy",
        "StartPosition": {"Line": 1, "Column": 41},
        "EndPosition": {"Line": 1, "Column": len(policy) - 1},
    }
    assert answer == {
        "IsTruncated": False,
        "EvaluationResults": [
            {
                "EvalActionName": "s3:GetObject",
                "EvalResourceName": "arn:aws:s3:::shop/*",
                "EvalDecision": "allowed",
                "MatchedStatements": [matched],
                "MissingContextValues": [],
                "EvalDecisionDetails": {},
                "ResourceSpecificResults": [
                    {
                        "EvalResourceName": "arn:aws:s3:::shop/*",
                        "EvalResourceDecision": "allowed",
                        "MatchedStatements": [matched],
                        "MissingContextValues": [],
                    }
                ],
            },
            {
                "EvalActionName": "s3:PutObject",
                "EvalResourceName": "arn:aws:s3:::shop/*",
                "EvalDecision": "implicitDeny",
                "MatchedStatements": [],
                "MissingContextValues": [],
                "EvalDecisionDetails": {},
                "ResourceSpecificResults": [
                    {
                        "EvalResourceName": "arn:aws:s3:::shop/*",
                        "EvalResourceDecision": "implicitDeny",
                        "MatchedStatements": [],
                        "MissingContextValues": [],
                    }
                ],
            },
        ],
    }


@pytest.mark.parametrize("case", POSITIONS, ids=lambda case: f"{case['source']}, {len(case['spans'])} statements")
def test_where_a_statement_stands(iam, case):
    effect = json.loads(case["text"])["Statement"][0]["Effect"]
    result = custom(iam, "s3:GetObject", case["text"])
    assert result["EvalDecision"] == {"Allow": "allowed", "Deny": "explicitDeny"}[effect]
    assert spans(result) == case["spans"][:1]
    if len(case["spans"]) > 1:
        assert spans(custom(iam, "sqs:SendMessage", case["text"])) == case["spans"][1:]


def test_a_denial_names_the_statements_that_deny(iam):
    everything = allow("*")
    nothing = document({"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"})
    result = custom(iam, "s3:DeleteObject", everything, nothing)
    assert result["EvalDecision"] == "explicitDeny"
    assert [entry["SourcePolicyId"] for entry in result["MatchedStatements"]] == ["PolicyInputList.2"]


def test_of_several_resources_the_strictest_decision_is_the_whole_ones(iam):
    policy = allow("s3:GetObject", resource="arn:aws:s3:::shop/*")
    result = custom(iam, "s3:GetObject", policy, ResourceArns=["arn:aws:s3:::shop/a", "arn:aws:s3:::bank/a"])
    assert result["EvalDecision"] == "implicitDeny"
    assert [entry["EvalResourceDecision"] for entry in result["ResourceSpecificResults"]] == ["allowed", "implicitDeny"]


def test_missing_context_is_named_and_may_be_given(iam):
    policy = allow("s3:GetObject", Condition={"StringEquals": {"aws:PrincipalTag/team": "shop"}})

    result = custom(iam, "s3:GetObject", policy)
    assert result["EvalDecision"] == "implicitDeny"
    assert result["MissingContextValues"] == ["aws:PrincipalTag/team"]

    result = custom(iam, "s3:GetObject", policy, ContextEntries=given(**{"aws__PrincipalTag/team": "shop"}))
    assert result["EvalDecision"] == "allowed"
    assert result["MissingContextValues"] == []


def test_a_boundary_only_limits(iam):
    boundary = allow("s3:*")
    result = custom(iam, "s3:GetObject", allow("*"), PermissionsBoundaryPolicyInputList=[boundary])
    assert (result["EvalDecision"], result["PermissionsBoundaryDecisionDetail"]) == (
        "allowed",
        {"AllowedByPermissionsBoundary": True},
    )
    result = custom(iam, "sqs:SendMessage", allow("*"), PermissionsBoundaryPolicyInputList=[boundary])
    assert (result["EvalDecision"], result["PermissionsBoundaryDecisionDetail"]) == (
        "implicitDeny",
        {"AllowedByPermissionsBoundary": False},
    )


def test_service_control_policies_must_allow_on_every_level(iam):
    levels = [{"ServiceControlPolicyInputList": [allow("*")]}, {"ServiceControlPolicyInputList": [allow("s3:*")]}]
    for action, allowed in (("s3:GetObject", True), ("sqs:SendMessage", False)):
        result = custom(iam, action, allow("*"), OrderedOrganizationPolicyInputList=levels)
        assert result["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": allowed}
        assert result["EvalDecision"] == ("allowed" if allowed else "implicitDeny")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ActionNames": ["GetObject"]}, "Invalid Action Name: GetObject"),
        ({"ActionNames": ["s3:*"]}, "Invalid Action Name: s3:*"),
        ({"ActionNames": ["s3:GetObject"], "ResourceArns": ["shop"]}, "Invalid Resource Arn: shop"),
        ({"ActionNames": ["s3:GetObject"], "ResourceOwner": "me"}, "Invalid Resource Owner: me"),
        (
            {"ActionNames": ["s3:GetObject"], "ContextEntries": [{"ContextKeyValues": ["a"]}]},
            "Every context entry must have a key name.",
        ),
    ],
    ids=["no action", "many actions", "no resource", "no owner", "no key"],
)
def test_questions_that_make_no_sense(iam, arguments, message):
    assert refusal(iam.simulate_custom_policy, PolicyInputList=[allow("*")], **arguments) == (
        400,
        "InvalidInput",
        message,
    )


# -- policies of somebody ---------------------------------------------------------------------------------------------


def test_the_policies_of_a_user_are_found_wherever_they_are(iam):
    # given one inline, one attached, one of a group
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=allow("s3:GetObject"))
    iam.create_group(GroupName="staff")
    iam.add_user_to_group(GroupName="staff", UserName="ann")
    iam.put_group_policy(GroupName="staff", PolicyName="all", PolicyDocument=allow("sqs:SendMessage"))
    iam.attach_user_policy(UserName="ann", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")

    # then each is named
    for action, source in (
        ("s3:GetObject", "user_ann_own"),
        ("sqs:SendMessage", "group_staff_all"),
        ("iam:GetUser", "IAMReadOnlyAccess"),
    ):
        result = principal(iam, action)
        assert result["EvalDecision"] == "allowed"
        assert [entry["SourcePolicyId"] for entry in result["MatchedStatements"]] == [source]
    assert principal(iam, "ec2:RunInstances")["EvalDecision"] == "implicitDeny"


def test_what_is_known_of_a_principal_needs_not_be_given(iam):
    iam.put_user_policy(
        UserName="ann",
        PolicyName="own",
        PolicyDocument=allow(
            "s3:GetObject",
            resource="arn:aws:s3:::home/${aws:username}/*",
            Condition={"StringEquals": {"aws:PrincipalTag/team": "shop"}},
        ),
    )
    result = principal(iam, "s3:GetObject", ResourceArns=["arn:aws:s3:::home/ann/a"])
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("allowed", [])


def test_simulating_is_deciding(aws, iam):
    """The simulator says what the call itself will be told."""
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=allow("iam:Get*", resource=arn("user", "*")))
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    own = aws.client("iam", key)

    assert principal(iam, "iam:GetUser", ResourceArns=[arn("user", "ann")])["EvalDecision"] == "allowed"
    assert own.get_user()["User"]["UserName"] == "ann"
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=trust(arn("user", "ann")))
    assert principal(iam, "iam:GetRole", ResourceArns=[arn("role", "app")])["EvalDecision"] == "implicitDeny"
    assert refusal(own.get_role, RoleName="app")[1] == "AccessDenied"


def test_the_boundary_of_a_principal_counts(iam):
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=allow("*"))
    iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    result = principal(iam, "s3:GetObject")
    assert result["EvalDecision"] == "implicitDeny"
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    # unless another is tried, or none
    assert (
        principal(iam, "s3:GetObject", PermissionsBoundaryPolicyInputList=[allow("s3:*")])["EvalDecision"] == "allowed"
    )
    without = [{"PolicyType": "permission-boundary"}]
    assert principal(iam, "s3:GetObject", PolicyExclusionList=without)["EvalDecision"] == "allowed"


def test_policies_are_left_out_and_added(iam):
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=allow("s3:*"))
    without = [{"InlinePolicyIdentifier": {"PolicyName": "own", "AttachmentType": "user", "AttachmentName": "ann"}}]
    assert principal(iam, "s3:GetObject", PolicyExclusionList=without)["EvalDecision"] == "implicitDeny"
    added = principal(iam, "sqs:SendMessage", PolicyInputList=[allow("sqs:*")])
    assert [entry["SourcePolicyId"] for entry in added["MatchedStatements"]] == ["PolicyInputList.1"]


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("this-names-nobody-at-all", (400, "InvalidInput")),
        (arn("user", "nobody"), (404, "NoSuchEntity")),
        (arn("role", "nobody"), (404, "NoSuchEntity")),
        (arn("policy", "p"), (400, "InvalidInput")),
    ],
)
def test_somebody_must_be_there(iam, source, answer):
    assert refusal(iam.simulate_principal_policy, PolicySourceArn=source, ActionNames=["s3:GetObject"])[:2] == answer


# -- roles and their trust --------------------------------------------------------------------------------------------


def test_whether_a_user_may_assume_a_role_of_the_account(iam):
    # given roles that trust the account, the user, and a service
    iam.create_role(RoleName="account", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:root"))
    iam.create_role(RoleName="user", AssumeRolePolicyDocument=trust(arn("user", "ann")))
    iam.create_role(RoleName="service", AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))

    def may(name: str) -> str:
        return principal(iam, "sts:AssumeRole", ResourceArns=[arn("role", name)])["EvalDecision"]

    # then one that trusts the account leaves it to the user's policies, one that names the user does not need them
    assert {name: may(name) for name in ("account", "user", "service")} == {
        "account": "implicitDeny",
        "user": "allowed",
        "service": "implicitDeny",
    }

    # when she may assume everything
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=allow("sts:AssumeRole"))
    # then still not what does not trust her
    assert {name: may(name) for name in ("account", "user", "service")} == {
        "account": "allowed",
        "user": "allowed",
        "service": "implicitDeny",
    }


def test_across_accounts_both_sides_are_told(iam, prod):
    prod.create_role(RoleName="release", AssumeRolePolicyDocument=trust(arn("user", "ann")))
    release = arn("role", "release", OTHER)

    result = principal(iam, "sts:AssumeRole", ResourceArns=[release])
    assert result["EvalDecision"] == "implicitDeny"
    assert result["EvalDecisionDetails"] == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}

    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=allow("sts:AssumeRole", resource=release))
    result = principal(iam, "sts:AssumeRole", ResourceArns=[release])
    assert result["EvalDecision"] == "allowed"
    assert result["EvalDecisionDetails"] == {"IAM Policy": "allowed", "Resource Policy": "allowed"}
    assert [entry["SourcePolicyId"] for entry in result["MatchedStatements"]] == ["user_ann_own", "role_release_trust"]


def test_a_trust_policy_is_tried_before_it_is_saved(iam):
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
    tried = trust(arn("user", "ann"), Condition={"StringEquals": {"sts:ExternalId": "secret"}})
    ask = {"ResourceArns": [arn("role", "app")], "ResourcePolicy": tried}

    result = principal(iam, "sts:AssumeRole", **ask)
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("implicitDeny", ["sts:ExternalId"])
    result = principal(iam, "sts:AssumeRole", **ask, ContextEntries=given(sts__ExternalId="secret"))
    assert result["EvalDecision"] == "allowed"


def test_without_a_role_only_the_callers_side_is_asked(iam):
    assert custom(iam, "sts:AssumeRole", allow("sts:AssumeRole"))["EvalDecision"] == "allowed"
    assert custom(iam, "sts:AssumeRole", allow("s3:*"))["EvalDecision"] == "implicitDeny"


# -- pages and permissions --------------------------------------------------------------------------------------------


def test_results_come_in_pages(iam):
    actions = [f"s3:Get{number}" for number in range(5)]
    pages = iam.get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[allow("s3:*")], ActionNames=actions, PaginationConfig={"PageSize": 2}
    )
    listed = [[single["EvalActionName"] for single in page["EvaluationResults"]] for page in pages]
    assert listed == [actions[:2], actions[2:4], actions[4:]]


def test_simulating_takes_permission(aws, iam):
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=allow("iam:SimulateCustomPolicy"))
    own = aws.client("iam", iam.create_access_key(UserName="ann")["AccessKey"])
    assert custom(own, "s3:GetObject", allow("s3:*"))["EvalDecision"] == "allowed"
    denied = refusal(own.simulate_principal_policy, PolicySourceArn=arn("user", "ann"), ActionNames=["s3:GetObject"])
    assert denied[1] == "AccessDenied"


# -- context keys -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CONTEXT_KEYS, ids=lambda case: case["name"])
def test_which_context_keys_policies_read(iam, case):
    texts = [json.dumps(policy) for policy in case["policies"]]
    if case["keys"] is None:
        assert refusal(iam.get_context_keys_for_custom_policy, PolicyInputList=texts)[:2] == (400, "InvalidInput")
    else:
        result = iam.get_context_keys_for_custom_policy(PolicyInputList=texts)["ContextKeyNames"]
        assert sorted(result) == sorted(case["keys"])


def test_which_context_keys_the_policies_of_somebody_read(iam):
    def reads(key: str) -> str:
        return allow("s3:GetObject", Condition={"StringEquals": {key: "a"}})

    # given
    policy = iam.create_policy(PolicyName="managed", PolicyDocument=reads("aws:SourceVpc"))["Policy"]["Arn"]
    bound = iam.create_policy(PolicyName="bound", PolicyDocument=reads("aws:SourceVpce"))["Policy"]["Arn"]
    iam.create_group(GroupName="staff")
    iam.add_user_to_group(GroupName="staff", UserName="ann")
    iam.put_group_policy(GroupName="staff", PolicyName="p", PolicyDocument=reads("aws:userid"))
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=reads("aws:username"))
    iam.attach_group_policy(GroupName="staff", PolicyArn=policy)
    iam.attach_user_policy(UserName="ann", PolicyArn=policy)
    iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=bound)

    # then a policy that she has twice is read once
    result = iam.get_context_keys_for_principal_policy(PolicySourceArn=arn("user", "ann"))["ContextKeyNames"]
    assert sorted(result) == ["aws:SourceVpc", "aws:SourceVpce", "aws:userid", "aws:username"]
    # and of an ARN only kind and name count
    again = iam.get_context_keys_for_principal_policy(PolicySourceArn=arn("user", "some/path/ann"))["ContextKeyNames"]
    assert sorted(again) == sorted(result)
    result = iam.get_context_keys_for_principal_policy(PolicySourceArn=arn("group", "staff"))["ContextKeyNames"]
    assert sorted(result) == ["aws:SourceVpc", "aws:userid"]
