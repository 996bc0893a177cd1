"""Who may sign in to the console, and from where (docs/aws/console-sign-in.md, "Console access control")."""

from __future__ import annotations

import json

import httpx
import pytest
from login_lab import DEV, LoginTool, signed
from lxml import html

from sts_emulator.cli.errors import CommandError

PASSWORD = "Correct-Horse-7"
ALICE = f"arn:aws:iam::{DEV}:user/alice"
ELSEWHERE, HERE = "203.0.113.0/24", "127.0.0.0/8"
INCORRECT = "Your authentication information is incorrect. Please try again."


@pytest.fixture
def signin(aws):
    return signed(aws)


@pytest.fixture
def enter(aws):
    """`enter(user, password)`: what the console's page says to who signs in so."""
    aws.client("iam").create_login_profile(UserName="alice", Password=PASSWORD)

    def enter(user: str = "alice", password: str = PASSWORD) -> str:
        with httpx.Client(
            verify=False, base_url=aws.endpoint_url, follow_redirects=True
        ) as http:  # loading certificates takes 40 ms
            form = html.fromstring(http.get("/signin").text)
            hidden = {field.get("name"): field.get("value") for field in form.xpath("//input[@type='hidden']")}
            page = http.post("/signin", data={**hidden, "account": DEV, "username": user, "password": password})
            return " ".join(html.fromstring(page.text).xpath("string(//main)").split())

    return enter


def test_statements_do_nothing_until_they_are_enforced(signin, enter):
    signin.put_resource_permission_statement(sourceIp=ELSEWHERE)
    assert ALICE in enter()
    assert signin.put_console_authorization_configuration() == enforced()
    assert INCORRECT in enter()
    assert signin.delete_console_authorization_configuration(targetId=DEV)["consoleAuthorizationEnabled"] is False
    assert ALICE in enter()


def enforced(target: str = DEV, scope: str = "ACCOUNT", *, enabled: bool = True) -> dict:
    class Answer(dict):
        def __eq__(self, other):
            return super().__eq__({name: value for name, value in other.items() if name != "ResponseMetadata"})

        __hash__ = None

    return Answer(targetId=target, scope=scope, consoleAuthorizationEnabled=enabled)


def test_from_the_right_address_and_for_the_excluded_principal(aws, signin, enter):
    signin.put_console_authorization_configuration()
    sid = signin.put_resource_permission_statement(sourceIp=HERE)["statementId"]
    assert ALICE in enter()
    signin.delete_resource_permission_statement(statementId=sid)
    signin.put_resource_permission_statement(sourceIp=ELSEWHERE, excludedPrincipal=ALICE)
    assert ALICE in enter()
    assert INCORRECT in enter("root", "root")
    login = next(event for event in reversed(aws.events()) if event["eventName"] == "ConsoleLogin")
    asked = [decision["action"] for decision in login["additionalEventData"]["decisions"]]
    assert asked == ["signin:Authenticate"]  # before anybody looked at the password
    assert INCORRECT in enter("nobody", "x" * 200)


def test_who_proved_it_may_still_be_denied(aws, signin, enter):
    """The half after the sign-in knows who it is: an identity policy counts there as well."""
    signin.put_console_authorization_configuration()
    deny = {"Effect": "Deny", "Action": "signin:CreateOAuth2Token", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    aws.client("iam").put_user_policy(UserName="alice", PolicyName="no", PolicyDocument=document)
    assert "sign in from a different network" in enter()
    aws.client("iam").delete_user_policy(UserName="alice", PolicyName="no")
    assert ALICE in enter()


def test_aws_login_is_judged_too(aws, signin, denied):
    tool = LoginTool(aws)
    tokens = tool.login(f"{DEV}/alice")
    signin.put_console_authorization_configuration()
    sid = signin.put_resource_permission_statement(sourceIp=ELSEWHERE)["statementId"]
    with pytest.raises(CommandError, match="not authorized to perform: signin:AuthorizeOAuth2Access"):
        aws.approve(tool.url(), f"{DEV}/alice")
    assert denied(tool.refresh, tokens) == ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS")
    signin.delete_resource_permission_statement(statementId=sid)
    assert tool.refresh(tokens)


def test_policies_may_ask_for_client_grant_and_redirection(aws, denied):
    iam = aws.client("iam")
    base = {"Effect": "Allow", "Resource": "arn:aws:signin:*:*:oauth2/public-client/localhost"}
    authorize = {
        **base,
        "Action": "signin:AuthorizeOAuth2Access",
        "Condition": {"StringLike": {"signin:OAuthRedirectUri": "http://127.0.0.1:*"}},
    }
    create = {
        **base,
        "Action": "signin:CreateOAuth2Token",
        "Condition": {
            "StringEquals": {
                "signin:OAuthGrantType": "authorization_code",
                "signin:OAuthClientAuthentication": "none",
                "signin:OAuthClientId": "arn:aws:signin:::devtools/same-device",
            }
        },
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [authorize, create]})
    iam.put_user_policy(UserName="dora", PolicyName="own", PolicyDocument=document)
    tool = LoginTool(aws)
    tokens = tool.login(f"{DEV}/dora")
    assert denied(tool.refresh, tokens) == ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS")


def test_the_policy_is_shown_whole_and_by_statement(signin, denied):
    assert denied(signin.get_resource_policy)[0] == "ResourceNotFoundException"
    given = {"sourceVpc": "vpc-12345678", "requestedRegion": "us-east-1", "sourceIp": "10.0.0.1"}
    sid = signin.put_resource_permission_statement(**given, excludedPrincipal=ALICE)["statementId"]
    policy = signin.get_resource_policy()["signinResourceBasedPolicy"]
    before, after, pinned = policy["statement"]
    assert (policy["version"], before["effect"], before["action"]) == ("2012-10-17", "Deny", ["signin:Authenticate"])
    assert before["condition"] == {
        "ArnNotEquals": {"signin:PrincipalArn": [ALICE]},
        "NotIpAddressIfExists": {"aws:SourceIp": ["10.0.0.1"]},
        "StringNotEquals": {"aws:SourceVpc": ["vpc-12345678"]},
        "StringEquals": {"aws:ResourceAccount": [DEV]},
    }
    assert after["condition"]["ArnNotEquals"] == {"aws:PrincipalArn": [ALICE]}
    assert pinned["condition"]["StringNotEqualsIfExists"] == {"aws:RequestedRegion": ["us-east-1"]}
    (listed,) = signin.list_resource_permission_statements()["permissionStatements"]
    assert (listed["sid"], listed["condition"]) == (sid, after["condition"])
    signin.delete_resource_permission_statement(statementId=sid)
    assert denied(signin.delete_resource_permission_statement, statementId=sid)[0] == "ResourceNotFoundException"


def test_statements_come_in_pages(signin, denied):
    made = {signin.put_resource_permission_statement(sourceIp=f"10.0.0.{n}")["statementId"] for n in range(3)}
    first = signin.list_resource_permission_statements(maxResults=2)
    rest = signin.list_resource_permission_statements(maxResults=2, nextToken=first["nextToken"])
    assert "nextToken" not in rest
    assert {statement["sid"] for page in (first, rest) for statement in page["permissionStatements"]} == made
    assert denied(signin.list_resource_permission_statements, nextToken="x")[0] == "ValidationException"


def test_the_same_token_is_the_same_statement(signin, denied):
    again = {"sourceIp": HERE, "clientToken": "t"}
    first = signin.put_resource_permission_statement(**again)["statementId"]
    assert signin.put_resource_permission_statement(**again)["statementId"] == first
    other = {"sourceIp": ELSEWHERE, "clientToken": "t"}
    assert denied(signin.put_resource_permission_statement, **other) == ("ConflictException", "CONFLICT")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"excludedPrincipal": ALICE},
        {"sourceVpc": "vpc-12345678"},
        {"signinSourceVpce": "vpce-12345678"},
        {"vpcSourceIp": "10.0.0.1"},
        {"sourceIp": "somewhere"},
        {"sourceIp": "10.0.0.0/99"},
        {"sourceIp": "x" * 100_000},
        {"sourceVpc": "vpc-x", "requestedRegion": "us-east-1"},
        {"sourceIp": HERE, "excludedPrincipal": "arn:aws:iam::1:user/x-is-nobody"},
    ],
)
def test_statements_that_are_refused(signin, denied, given):
    assert denied(signin.put_resource_permission_statement, **given)[0] == "ValidationException"


def test_changes_are_made_in_one_region_and_read_in_all(aws):
    abroad = aws.client("signin", region_name="eu-west-1")
    abroad.meta.events.register(
        "before-call.signin", lambda params, **_: params.update(url=f"{aws.endpoint_url}{params['url_path']}")
    )
    with pytest.raises(abroad.exceptions.ValidationException, match="us-east-1"):
        abroad.put_console_authorization_configuration()
    assert abroad.get_console_authorization_configuration()["consoleAuthorizationEnabled"] is False


def test_targets_are_ones_own(signin, denied):
    for target in ("444455556666", "o-abcdefghij", "r-abcd00000000"):
        call = signin.put_console_authorization_configuration
        assert denied(call, targetId=target) == ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS")
    signin.put_console_authorization_configuration(targetId=DEV)
    assert denied(signin.put_console_authorization_configuration) == ("ConflictException", "CONFLICT")
    assert signin.get_console_authorization_configuration() == enforced()
    signin.delete_console_authorization_configuration()
    told = denied(signin.delete_console_authorization_configuration)
    assert told == ("ResourceNotFoundException", "RESOURCE_NOT_FOUND")


ORGANIZATION = """
accounts:
  "111122223333": {users: {boss: {policies: [AdministratorAccess]}}}
  "444455556666": {users: {alice: {policies: [AdministratorAccess]}}}
organization:
  management: "111122223333"
  accounts: {"444455556666": {rcps: only-root}}
  resource_control_policies:
    only-root:
      - Effect: Deny
        Principal: "*"
        Action: signin:Authenticate
        Resource: "*"
        Condition: {ArnNotEquals: {"signin:PrincipalArn": "arn:aws:iam::444455556666:root"}}
"""


def test_an_organization_judges_all_its_accounts(emulator_server):
    """By the RCPs of the organization; in the management account none apply, as everywhere."""
    with emulator_server.world(ORGANIZATION) as aws:
        org = aws.client("organizations").describe_organization()["Organization"]["Id"]
        signed(aws).put_console_authorization_configuration(targetId=org)
        with httpx.Client(
            verify=False, base_url=aws.endpoint_url, follow_redirects=True
        ) as http:  # loading certificates takes 40 ms

            def enter(account: str, user: str, password: str) -> str:
                form = html.fromstring(http.get("/signin").text)
                hidden = {field.get("name"): field.get("value") for field in form.xpath("//input[@type='hidden']")}
                return http.post(
                    "/signin", data={**hidden, "account": account, "username": user, "password": password}
                ).text

            assert "Authentication failed Invalid request" in enter("444455556666", "alice", "x")
            assert "444455556666:root" in enter("444455556666", "root", "root")
            assert "111122223333:root" in enter("111122223333", "root", "root")
