"""A scenario seeds a world through the API's own operations: what the API would refuse, it cannot create."""

from __future__ import annotations

import json

import pytest
from scenario_lab import DEV, Lab

from sts_emulator.accounts import people
from sts_emulator.scenario import apply, parse

PROD = "444455556666"


def test_users_groups_policies_and_roles_come_about(lab: Lab):
    lab.load(f"""
        accounts:
          "{DEV}":
            name: dev
            alias: acme-dev
            policies:
              read: [{{Effect: Allow, Action: "s3:Get*", Resource: "*"}}]
            groups:
              devs: {{policies: read}}
            users:
              alice: {{path: /staff/, tags: {{team: blue}}, groups: devs, policies: AdministratorAccess, boundary: read}}
            roles:
              deploy:
                description: deploys
                max_session_duration: 7200
                trust: [{{Effect: Allow, Principal: {{Service: ec2.amazonaws.com}}, Action: sts:AssumeRole}}]
                inline:
                  more: [{{Effect: Allow, Action: "s3:*", Resource: "*"}}]
            instance_profiles: {{deploy: deploy}}
    """)
    account = lab.world.get("account", DEV)
    alice, deploy = lab.get("user", "alice"), lab.get("role", "deploy")
    assert (account["name"], account["alias"]) == ("dev", "acme-dev")
    assert alice["arn"] == f"arn:aws:iam::{DEV}:user/staff/alice"
    assert alice["tags"] == {"team": "blue"}
    assert alice["groups"] == ["devs"]
    assert alice["attached"] == ["arn:aws:iam::aws:policy/AdministratorAccess"]
    assert alice["boundary"] == f"arn:aws:iam::{DEV}:policy/read"
    assert lab.get("group", "devs")["attached"] == [f"arn:aws:iam::{DEV}:policy/read"]
    assert (deploy["description"], deploy["max_duration"]) == ("deploys", 7200)
    assert json.loads(deploy["inline"]["more"])["Statement"][0]["Action"] == "s3:*"
    assert lab.get("instance-profile", "deploy")["roles"] == ["deploy"]


def test_a_trust_policy_may_name_what_stands_further_below_and_in_another_account(lab: Lab):
    lab.load(f"""
        accounts:
          "{DEV}":
            roles:
              first:
                trust:
                  - Effect: Allow
                    Principal: {{AWS: ["arn:aws:iam::{DEV}:role/second", "arn:aws:iam::{PROD}:user/olga"]}}
                    Action: sts:AssumeRole
              second:
                trust: [{{Effect: Allow, Principal: {{AWS: "arn:aws:iam::{DEV}:role/first"}}, Action: sts:AssumeRole}}]
          "{PROD}":
            users: {{olga: }}
    """)
    principals = json.loads(lab.get("role", "first")["trust"])["Statement"][0]["Principal"]["AWS"]
    assert principals == [lab.get("role", "second")["id"], lab.get("user", "olga", PROD)["id"]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "roles: {{r: {{trust: [{{Effect: Allow, Principal: {{AWS: 'arn:aws:iam::111122223333:user/nobody'}}, Action: sts:AssumeRole}}]}}}}",
            'role `r`: MalformedPolicyDocument: Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/nobody"',
        ),
        ("roles: {{r: {{trust: 'not json'}}}}", "role `r`: MalformedPolicyDocument: This policy contains invalid Json"),
        ("users: {{'a b': }}", "user `a b`: ValidationError: "),
        ("users: {{a: {{path: staff}}}}", "user `a`: ValidationError: "),
        ("users: {{a: {{policies: Nowhere}}}}", "no policy `Nowhere` in account 111122223333"),
        ("users: {{a: {{groups: nowhere}}}}", "user `a`: NoSuchEntity: The group with name nowhere cannot be found."),
        ("users: {{a: {{access_keys: {{id: short}}}}}}", "access key id `short` is not 16 to 128 capitals and digits"),
        ("users: {{a: {{access_keys: [{{}}, {{}}, {{}}]}}}}", "cannot exceed quota for AccessKeysPerUser: 2"),
        ("roles: {{r: {{trust: [], max_session_duration: 60}}}}", "role `r`: ValidationError: "),
        ("users: {{a: {{mfa: {{'a b': }}}}}}", "user `a`: ValidationError: "),
        ("instance_profiles: {{p: nobody}}", "instance profile `p`: NoSuchEntity: "),
        ("oidc_providers: [{{client_ids: x}}]", "an OIDC provider needs a `url` or an `issuer`"),
        ("oidc_providers: [{{url: 'ftp://x'}}]", "OIDC provider `ftp://x`: ValidationError: "),
        ("oidc_providers: [{{issuer: nothing}}]", "no issuer preset `nothing`"),
    ],
)
def test_what_the_api_would_refuse_is_refused_with_its_line(lab: Lab, body: str, message: str):
    told = lab.refusal(f'accounts:\n  "{DEV}":\n    ' + body.format())
    assert told.startswith(f"scenario:3: {message}")


def test_a_shared_issuer_needs_a_subject_as_in_aws(lab: Lab):
    assert "MalformedPolicyDocument" in lab.refusal(f"""
        accounts:
          "{DEV}":
            oidc_providers: [{{issuer: github}}]
            roles:
              wide-open:
                trust:
                  - Effect: Allow
                    Principal: {{Federated: "arn:aws:iam::{DEV}:oidc-provider/token.actions.githubusercontent.com"}}
                    Action: sts:AssumeRoleWithWebIdentity
    """)


def test_a_mistake_leaves_the_world_as_it_was(lab: Lab):
    lab.load(f'accounts: {{"{DEV}": {{name: before, users: {{alice: }}}}}}')
    before = lab.world.page_keys("access-key")

    lab.refusal(f"""
        accounts:
          "{DEV}":
            name: after
            users: {{bob: }}
            roles: {{r: {{trust: "no policy"}}}}
    """)

    assert lab.world.get("account", DEV)["name"] == "before"
    assert lab.world.get("user", f"{DEV}/bob") is None
    assert lab.world.page_keys("access-key") == before


def test_applying_again_changes_nothing(lab: Lab):
    text = f"""
        issuers: {{github: }}
        organization: {{management: "{PROD}", accounts: {{"{DEV}": }}}}
        accounts:
          "{DEV}":
            policies: {{read: [{{Effect: Allow, Action: "s3:Get*", Resource: "*"}}]}}
            groups: {{devs: {{policies: read}}}}
            users: {{alice: {{groups: devs, tags: {{a: b}}, boundary: read}}}}
            roles: {{r: {{trust: [{{Effect: Allow, Principal: {{AWS: "{DEV}"}}, Action: sts:AssumeRole}}], tags: {{a: b}}}}}}
            instance_profiles: {{r: r}}
            oidc_providers: [{{issuer: github}}]
          "{PROD}": {{}}
    """
    kinds = ("account", "user", "group", "role", "policy", "instance-profile", "oidc-provider", "access-key", "issuer")
    lab.load(text)
    first = {kind: lab.world.page_keys(kind) for kind in (*kinds, "organization")}

    lab.load(text)

    assert {kind: lab.world.page_keys(kind) for kind in (*kinds, "organization")} == first


def test_an_edited_scenario_updates_what_is_there(lab: Lab):
    lab.load(f"""
        accounts:
          "{DEV}":
            policies: {{p: [{{Effect: Allow, Action: "s3:Get*", Resource: "*"}}]}}
            groups: {{devs: , ops: }}
            users:
              alice: {{groups: devs, policies: p, boundary: p, tags: {{team: blue, old: x}}, inline: {{i: [{{Effect: Allow, Action: "s3:*", Resource: "*"}}]}}}}
            roles:
              r: {{trust: [{{Effect: Allow, Principal: {{AWS: "{DEV}"}}, Action: sts:AssumeRole}}]}}
            oidc_providers: [{{url: https://issuer.example.com, client_ids: [a, b]}}]
    """)
    before = lab.get("user", "alice"), lab.get("role", "r")

    lab.load(f"""
        accounts:
          "{DEV}":
            policies: {{p: [{{Effect: Allow, Action: "s3:Put*", Resource: "*"}}]}}
            users:
              alice: {{groups: ops, tags: {{team: red}}}}
            roles:
              r:
                description: new
                trust: [{{Effect: Allow, Principal: {{AWS: "arn:aws:iam::{DEV}:user/alice"}}, Action: sts:AssumeRole}}]
            oidc_providers: [{{url: https://issuer.example.com, client_ids: [b, c], jwks: {{keys: []}}}}]
    """)

    alice, role = lab.get("user", "alice"), lab.get("role", "r")
    assert (alice["id"], role["id"]) == (before[0]["id"], before[1]["id"])
    assert (alice["groups"], alice["attached"], alice["inline"], alice["tags"]) == (["ops"], [], {}, {"team": "red"})
    assert not alice.get("boundary")
    assert role["description"] == "new"
    assert json.loads(role["trust"])["Statement"][0]["Principal"] == {"AWS": alice["id"]}
    policy = lab.world.find("policy", f"arn:aws:iam::{DEV}:policy/p")
    assert "s3:Put*" in policy["versions"][policy["default"]]["text"]
    provider = lab.world.find("oidc-provider", f"arn:aws:iam::{DEV}:oidc-provider/issuer.example.com")
    assert (provider["client_ids"], provider["jwks"]) == (["b", "c"], {"keys": []})


def test_a_policy_that_keeps_changing_keeps_five_versions(lab: Lab):
    for number in range(8):
        lab.load(
            f'accounts: {{"{DEV}": {{policies: {{p: [{{Effect: Allow, Action: "s3:Get{number}", Resource: "*"}}]}}}}}}'
        )
    policy = lab.world.find("policy", f"arn:aws:iam::{DEV}:policy/p")
    assert len(policy["versions"]) == 5
    assert "s3:Get7" in policy["versions"][policy["default"]]["text"]


def test_a_path_cannot_change_under_those_who_trust_it(lab: Lab):
    role = '{{trust: [{{Effect: Allow, Principal: {{AWS: "111122223333"}}, Action: sts:AssumeRole}}], path: {}}}'
    lab.load(f'accounts: {{"{DEV}": {{roles: {{r: {role.format("/a/")}}}}}}}')
    told = lab.refusal(f'accounts: {{"{DEV}": {{roles: {{r: {role.format("/b/")}}}}}}}')
    assert told == "scenario:1: role `r` exists with path `/a/`, which cannot become `/b/`; delete it first"


# -- access keys ----------------------------------------------------------------------------------------------------


def keys(lab: Lab, user: str = "", account: str = DEV) -> list[tuple[str, str]]:
    keys = lab.world.page("access-key")
    return [(key["id"], key["secret"]) for key in keys if (key["account"], key["user"]) == (account, user)]


def test_root_has_a_random_key_unless_the_scenario_fixes_it(lab: Lab):
    lab.load(f"""
        accounts:
          "{DEV}": {{}}
          "{PROD}": {{root: {{access_key_id: AKIAPRODROOTEXAMPLE1, secret_access_key: prod-secret}}}}
    """)
    ((made, secret),) = keys(lab)
    assert made.startswith("AKIA")
    assert len(secret) == 40
    assert keys(lab, account=PROD) == [("AKIAPRODROOTEXAMPLE1", "prod-secret")]


def test_two_worlds_never_share_a_random_key(lab: Lab):
    scenario = parse(f'accounts: {{"{DEV}": }}')
    other = Lab()
    apply(lab.server, lab.world, scenario)
    apply(other.server, other.world, scenario)
    assert keys(lab) != keys(other)


def test_a_user_has_one_key_unless_it_is_said_otherwise(lab: Lab):
    lab.load(f"""
        accounts:
          "{DEV}":
            users:
              alice:
              bob: {{access_keys: []}}
              carol: {{access_keys: [{{id: AKIACAROLEXAMPLEKEY1, secret: s1}}, {{id: AKIACAROLEXAMPLEKEY2}}]}}
    """)
    assert len(keys(lab, "alice")) == 1
    assert keys(lab, "bob") == []
    assert [key for key, _ in keys(lab, "carol")] == ["AKIACAROLEXAMPLEKEY1", "AKIACAROLEXAMPLEKEY2"]
    assert keys(lab, "carol")[0] == ("AKIACAROLEXAMPLEKEY1", "s1")


def test_keys_follow_an_edited_scenario(lab: Lab):
    text = f'accounts: {{"{DEV}": {{users: {{alice: {{access_keys: {{id: AKIA%s}}}}}}}}}}'
    lab.load(text % "ALICEEXAMPLEOLD1")
    lab.load(text % "ALICEEXAMPLENEW1")
    assert [key for key, _ in keys(lab, "alice")] == ["AKIAALICEEXAMPLENEW1"]


def test_a_key_belongs_to_one_holder(lab: Lab):
    told = lab.refusal(f"""
        accounts:
          "{DEV}":
            users:
              alice: {{access_keys: {{id: AKIASHAREDEXAMPLE001}}}}
              bob:
                access_keys:
                  id: AKIASHAREDEXAMPLE001
    """)
    assert told == f"scenario:7: access key `AKIASHAREDEXAMPLE001` is already that of alice in account {DEV}"


# -- MFA devices ----------------------------------------------------------------------------------------------------


def test_a_user_has_devices_whose_codes_a_test_can_compute(lab: Lab):
    seed = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    text = f'accounts: {{"{DEV}": {{users: {{alice: {{mfa: {{alice: {seed}, spare: }}}}}}}}}}'
    lab.load(text)
    lab.load(text)
    alice, device = lab.get("user", "alice"), lab.get("mfa-device", "alice")
    assert device["arn"] == f"arn:aws:iam::{DEV}:mfa/alice"
    assert device["owner"] == lab.get("mfa-device", "spare")["owner"] == alice["id"]
    assert device["seed"] == seed
    people.authenticate(lab.world, alice["id"], device["arn"], people.totp(seed, lab.world.now()))


# -- organizations --------------------------------------------------------------------------------------------------


def test_an_organization_is_a_tree_with_policies_along_it(lab: Lab):
    lab.load(f"""
        organization:
          id: o-acme
          management: "{PROD}"
          service_control_policies:
            no-leaving: [{{Effect: Deny, Action: "organizations:LeaveOrganization", Resource: "*"}}]
          scps: no-leaving
          units:
            workloads:
              units:
                dev:
                  accounts: {{"{DEV}": {{full_access: false}}}}
    """)
    organization = lab.world.get("organization", "organization")
    policies = {policy["name"]: policy["targets"] for policy in organization["policies"].values()}
    root, parents = organization["root"], organization["parents"]
    unit = parents[DEV]
    assert organization["id"] == "o-acme"
    assert parents[PROD] == root
    assert parents[parents[unit]] == root
    assert policies["no-leaving"] == [root]
    assert set(policies["FullAWSAccess"]) == {root, unit, parents[unit]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{management: acme}", "`management` must be an account id of twelve digits"),
        ("{management: '444455556666', scps: nothing}", "no scp `nothing` in this organization"),
        ("{management: '444455556666', accounts: {x: }}", "`x` is not an account id of twelve digits"),
        (
            "{management: '444455556666', accounts: {'111122223333': }, units: {u: {accounts: {'111122223333': }}}}",
            "account 111122223333 already stands elsewhere in the organization",
        ),
        ("{management: '444455556666', service_control_policies: {p: nonsense}}", "scp `p`: "),
    ],
)
def test_organizations_that_cannot_be(lab: Lab, body: str, message: str):
    assert lab.refusal(f"organization: {body}").startswith(f"scenario:1: {message}")


def test_service_control_policies_do_not_stop_a_scenario_from_being_applied_again(lab: Lab):
    text = f"""
        organization:
          management: "{PROD}"
          service_control_policies: {{nothing: [{{Effect: Deny, Action: "iam:*", Resource: "*"}}]}}
          accounts: {{"{DEV}": {{scps: nothing}}}}
        accounts:
          "{DEV}": {{users: {{%s: }}}}
    """
    lab.load(text % "alice")
    lab.load(text % "bob")
    assert lab.get("user", "bob")
