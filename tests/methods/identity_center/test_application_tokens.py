"""A backend brings a token of the company's own issuer, and gets tokens of that person (CreateTokenWithIAM)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from propagation_lab import ACCESS_TOKEN, DISABLED_JANE, ISSUER, JWT_BEARER, TOKEN_EXCHANGE
from sso_lab import DEV
from web_identity_forge import Key, issuer_on_socket, unsigned

from sts_emulator.cli.errors import CommandError


@pytest.fixture
def issuer():
    with issuer_on_socket() as served:
        yield served


def claims_of(token: str) -> dict:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


ROOT = Path(__file__).parents[3]


def test_the_page_tells_the_whole_way():
    """The example of docs/identity-center.md, run as it stands."""
    example, *_ = re.findall(
        r"```python\n(from sts_emulator.*?)```", (ROOT / "docs/identity-center.md").read_text(), re.DOTALL
    )
    subprocess.run([sys.executable, "-c", example], check=True, timeout=120)


# -- what comes ---------------------------------------------------------------------------------------------------


def test_a_token_of_the_companys_issuer_becomes_tokens_of_the_user(company):
    answer = company.exchange(company.token())
    assert (answer["tokenType"], answer["expiresIn"], answer["issuedTokenType"]) == ("Bearer", 3600, ACCESS_TOKEN)
    assert answer["scope"] == ["sts:identity_context", "openid", "aws"]
    assert "refreshToken" not in answer

    claims, jane = claims_of(answer["idToken"]), company.user("jane")
    assert claims["iss"] == f"https://identitycenter.amazonaws.com/{company.instance.rpartition('/')[2]}"
    assert claims["sub"] == jane
    assert 3_000 < claims["exp"] - claims["iat"] <= 3_600  # it is made after the access token
    assert claims["act"] == {"sub": company.issuer}
    assert claims["aws:identity_store_arn"] == company.store_arn
    assert (claims["aws:instance_arn"], claims["aws:instance_account"]) == (company.instance, DEV)
    assert {"sts:identity_context", "sts:audit_context", "aws:credential_id"} <= claims.keys()


def test_the_user_reaches_their_roles_once_the_application_has_the_scope(company, refusal):
    without = company.exchange(company.token())
    accounts = company.portal().list_accounts
    assert refusal(accounts, accessToken=without["accessToken"])[:2] == (401, "UnauthorizedException")

    company.scope("sso:account:access")
    token = company.exchange(company.token())["accessToken"]
    assert [account["accountId"] for account in accounts(accessToken=token)["accountList"]] == [DEV]
    role = {"accountId": DEV, "roleName": "Developer"}
    keys = company.portal().get_role_credentials(accessToken=token, **role)["roleCredentials"]
    assert keys["accessKeyId"].startswith("ASIA")

    company.sso.delete_application_access_scope(ApplicationArn=company.application, Scope="sso:account:access")
    assert refusal(accounts, accessToken=token)[:2] == (401, "UnauthorizedException")


def test_a_scope_that_every_application_has_is_told_once(company):
    company.scope("sts:identity_context")
    assert company.exchange(company.token())["scope"] == ["sts:identity_context", "openid", "aws"]


def test_scopes_can_be_fewer_and_not_more(company, refusal):
    answer = company.exchange(company.token(), scope=["openid"])
    assert answer["scope"] == ["openid"]
    assert "awsAdditionalDetails" not in answer
    assert "sts:identity_context" not in claims_of(answer["idToken"])
    asked = refusal(company.exchange, assertion=company.token(), scope=["sso:account:access"])
    assert asked == (400, "InvalidScopeException", "invalid_scope")


def test_refresh_tokens_come_with_the_grant_and_are_good_once(company, refusal):
    company.grant("refresh_token", {"RefreshToken": {}})
    first = company.exchange(company.token())
    assert first["issuedTokenType"].endswith(":refresh_token")

    def renew(token: str, **more) -> dict:
        call = company.oidc().create_token_with_iam
        return call(clientId=company.application, grantType="refresh_token", refreshToken=token, **more)

    second = renew(first["refreshToken"], scope=["openid"])
    assert second["scope"] == ["openid"]
    assert refusal(renew, token=first["refreshToken"])[1] == "InvalidGrantException"

    other = company.new_application("other")
    company.grant("refresh_token", {"RefreshToken": {}}, other)
    foreign = company.exchange(company.token(), other)["refreshToken"]
    assert refusal(renew, token=foreign)[1] == "InvalidGrantException"

    company.aws.load(DISABLED_JANE)
    assert refusal(renew, token=second["refreshToken"])[1] == "InvalidGrantException"


@pytest.mark.parametrize(
    ("claim", "attribute", "value"),
    [
        ("preferred_username", "userName", "jane"),
        ("profile.mail", "emails.value", {"mail": "jane@corp.example"}),
        ("employee", "externalIds.id", "00u-jane"),
    ],
)
def test_the_issuer_says_how_a_user_is_named(company, claim, attribute, value):
    """The paths of the model: a claim, perhaps inside another, is an attribute of the directory."""
    company.scim("PATCH", f"Users/{company.user('jane')}", {"op": "add", "path": "externalId", "value": "00u-jane"})
    company.sso.update_trusted_token_issuer(
        TrustedTokenIssuerArn=company.issuer,
        TrustedTokenIssuerConfiguration={
            "OidcJwtConfiguration": {"ClaimAttributePath": claim, "IdentityStoreAttributePath": attribute}
        },
    )
    token = company.token(email=None, **{claim.partition(".")[0]: value})
    assert claims_of(company.exchange(token)["idToken"])["sub"] == company.user("jane")


def test_a_group_may_be_assigned_or_nobody_need_be(company, refusal):
    assert refusal(company.exchange, assertion=company.token("omar"))[1] == "AccessDeniedException"
    assert "omar is not assigned to the application shop" in company.aws.explain()

    groups = {
        group["DisplayName"]: group["GroupId"]
        for group in company.store.list_groups(IdentityStoreId=company.directory)["Groups"]
    }
    company.store.create_group_membership(
        IdentityStoreId=company.directory, GroupId=groups["auditors"], MemberId={"UserId": company.user("omar")}
    )
    company.sso.create_application_assignment(
        ApplicationArn=company.application, PrincipalId=groups["auditors"], PrincipalType="GROUP"
    )
    assert company.exchange(company.token("omar"))

    free = company.new_application("free")
    company.sso.put_application_assignment_configuration(ApplicationArn=free, AssignmentRequired=False)
    assert company.exchange(company.token("twin.one", email="twin@corp.example"), free)


# -- an issuer that must be asked for its keys --------------------------------------------------------------------


def test_keys_are_fetched_from_an_issuer_on_this_machine(company, issuer):
    key = Key()
    issuer.serve([key.jwk()])
    application = company.new_application("fetching", issuer=company.trust("local", issuer.url))
    now = int(company.aws.now())
    claims = {"iss": issuer.url, "aud": "shop", "email": "jane@corp.example", "iat": now, "exp": now + 60}
    assert company.exchange(key.token(claims), application)["accessToken"]
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


def test_a_token_never_says_whom_to_ask(company, issuer, refusal):
    """Only the trusted issuer's address is asked: neither `iss` nor headers lead anywhere."""
    key = Key()
    issuer.serve([key.jwk()])
    now = int(company.aws.now())
    header = {"alg": "RS256", "kid": "key-1", "jku": f"{issuer.url}/keys", "jwk": key.jwk()}
    for iss in (issuer.url, ISSUER):
        claims = {"iss": iss, "aud": "shop", "email": "jane@corp.example", "iat": now, "exp": now + 60}
        refused = refusal(company.exchange, assertion=key.token(claims, header=header))
        assert refused == (400, "InvalidGrantException", "invalid_grant")
    assert issuer.asked == []


# -- refused: the token -------------------------------------------------------------------------------------------


def test_an_assertion_is_good_once(company, refusal):
    for token in (company.token(), company.token(jti="one")):
        assert company.exchange(token)
        assert refusal(company.exchange, assertion=token)[1] == "InvalidGrantException"
        assert "the assertion was used before" in company.aws.explain()
    assert refusal(company.exchange, assertion=company.token(jti="one"))[1] == "InvalidGrantException"


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"aud": "another-app"}, "the application admits shop"),
        ({"aud": ["another-app", 7]}, "the application admits shop"),
        ({"aud": None}, "the application admits shop"),
        ({"email": "nobody@corp.example"}, "not exactly one user has `nobody@corp.example`"),
        ({"email": "Jane@corp.example"}, "not exactly one user"),
        ({"email": "gone@corp.example"}, "the user gone is disabled"),
        ({"email": None}, "no text in its claim `email`"),
        ({"email": ["jane@corp.example"]}, "no text in its claim `email`"),
        ({"iat": 4_000_000_000}, "not good yet"),
        ({"nbf": 4_000_000_000}, "not good yet"),
        ({"exp": "soon"}, "a time of the assertion is no number"),
        ({"exp": None}, "lacks `iat` or `exp`"),
    ],
)
def test_a_token_that_is_not_right(company, refusal, claims, why):
    refused = refusal(company.exchange, assertion=company.token(**claims))
    assert refused == (400, "InvalidGrantException", "invalid_grant")
    assert why in company.aws.explain()


def test_a_token_that_is_over(company, refusal):
    refused = refusal(company.exchange, assertion=company.token(expires_in=-301))
    assert refused == (400, "ExpiredTokenException", "expired_token")


def test_tokens_that_no_honest_issuer_makes(company, refusal):
    good = company.token()
    head, body, signature = good.split(".")
    claims = claims_of(good)
    forged = [
        Key().token(claims),  # another key
        Key(kid=json.loads(base64.urlsafe_b64decode(head + "==")).get("kid", "")).token(claims),  # of the same name
        unsigned({"alg": "none"}, claims),
        f"{head}.{base64.urlsafe_b64encode(json.dumps({**claims, 'email': 'omar@corp.example'}).encode()).decode().rstrip('=')}.{signature}",
        f"{head}.{body}.",
        "no.jwt",
        "x" * 30_000,
        company.token(issuer="stranger"),
    ]
    for token in forged:
        assert refusal(company.exchange, assertion=token) == (400, "InvalidGrantException", "invalid_grant")
    assert "no trusted token issuer for `https://login.stranger.example`" in company.aws.explain()
    assert refusal(company.exchange, assertion="") == (400, "InvalidRequestException", "invalid_request")
    assert company.exchange(good)


def test_claims_that_are_nested_deeply(company, refusal):
    deep = "[" * 900 + "]" * 900
    for claim in ("iss", "aud", "email", "jti", "exp"):
        body = json.dumps({**claims_of(company.token()), claim: "DEEP"}).replace('"DEEP"', deep)
        forged = Key().token(body.encode())
        assert refusal(company.exchange, assertion=forged)[1] == "InvalidGrantException"
        minted = company.aws.page("POST", "issuers/corp/token", body=json.loads(body.replace(deep, "[[[[]]]]")))
        refused = company.oidc().create_token_with_iam
        if claim != "jti":
            assert (
                refusal(refused, clientId=company.application, grantType=JWT_BEARER, assertion=minted["token"])[0]
                == 400
            )


def test_an_issuer_that_is_trusted_no_more(company, refusal):
    token = company.token()
    company.sso.delete_trusted_token_issuer(TrustedTokenIssuerArn=company.issuer)
    assert refusal(company.exchange, assertion=token)[1] == "InvalidGrantException"


# -- refused: the caller ------------------------------------------------------------------------------------------


def test_both_the_callers_policy_and_the_applications_must_allow(company, refusal):
    silent = refusal(company.exchange, assertion=company.token(), caller="silent")
    assert silent == (400, "AccessDeniedException", "access_denied")
    assert "sso-oauth:CreateTokenWithIAM" in company.aws.explain()
    assert refusal(company.exchange, assertion=company.token(), caller="mallory")[1] == "AccessDeniedException"
    assert "its authentication method IAM, does not let" in company.aws.explain()

    company.let_call({"AWS": "*"})
    assert company.exchange(company.token(), caller="mallory")
    company.sso.delete_application_authentication_method(
        ApplicationArn=company.application, AuthenticationMethodType="IAM"
    )
    assert refusal(company.exchange, assertion=company.token())[1] == "AccessDeniedException"


def test_unknown_disabled_and_deleted_applications(company, refusal):
    unknown = (401, "InvalidClientException", "invalid_client")
    arn = company.application
    for other in (arn[:-1] + ("0" if arn[-1] != "0" else "1"), "no-arn", "x" * 5_000):
        assert refusal(company.exchange, assertion=company.token(), application=other) == unknown
    company.sso.update_application(ApplicationArn=arn, Status="DISABLED")
    assert refusal(company.exchange, assertion=company.token()) == unknown
    company.sso.delete_application(ApplicationArn=arn)
    assert refusal(company.exchange, assertion=company.token()) == unknown


def test_grants_that_are_unknown_or_not_the_applications(company, refusal):
    call = company.oidc().create_token_with_iam
    assert refusal(call, clientId=company.application, grantType="password")[1] == "UnsupportedGrantTypeException"
    assert refusal(call, clientId=company.application, grantType="refresh_token")[1] == "UnauthorizedClientException"
    company.sso.delete_application_grant(ApplicationArn=company.application, GrantType=JWT_BEARER)
    assert refusal(company.exchange, assertion=company.token())[1] == "UnauthorizedClientException"


def test_an_unreadable_policy_is_refused_when_it_is_put(company, refusal):
    for policy in ({"Statement": "x"}, {"Statement": [{"Effect": "Maybe"}]}, {"Version": "1", "Statement": []}):
        refused = refusal(
            company.sso.put_application_authentication_method,
            ApplicationArn=company.application,
            AuthenticationMethodType="IAM",
            AuthenticationMethod={"Iam": {"ActorPolicy": policy}},
        )
        assert refused[1] == "ValidationException"


# -- from one application to another ------------------------------------------------------------------------------


def test_a_token_is_exchanged_by_the_application_that_a_scope_is_for(company, refusal):
    other = company.new_application("ledger")
    company.grant(TOKEN_EXCHANGE, {"TokenExchange": {}}, other)
    company.scope("ledger:read", targets=(other,))
    token = company.exchange(company.token())["accessToken"]

    def exchange(subject: str, application: str = other, **changed) -> dict:
        given = {"subjectToken": subject, "subjectTokenType": ACCESS_TOKEN, **changed}
        return company.oidc().create_token_with_iam(clientId=application, grantType=TOKEN_EXCHANGE, **given)

    answer = exchange(token)
    assert claims_of(answer["idToken"])["sub"] == company.user("jane")
    assert exchange(token)["accessToken"]  # as often as the token is good

    grant = (400, "InvalidGrantException", "invalid_grant")
    assert refusal(exchange, subject="x") == grant
    assert refusal(exchange, subject=answer["accessToken"]) == grant  # its own
    narrowed = company.exchange(company.token(), scope=["openid"])["accessToken"]
    assert refusal(exchange, subject=narrowed) == grant
    assert "among its authorized targets" in company.aws.explain()
    assert refusal(exchange, subject=token, subjectTokenType="urn:x")[1] == "InvalidRequestException"
    assert refusal(exchange, subject=token, requestedTokenType="urn:x")[1] == "InvalidRequestException"
    company.aws.advance(3_601)
    assert refusal(exchange, subject=token) == grant


# -- a browser's code ---------------------------------------------------------------------------------------------


def test_a_code_that_a_browser_brings_to_an_application(company, refusal):
    place = "https://shop.corp.example/callback"
    company.grant("authorization_code", {"AuthorizationCode": {"RedirectUris": [place]}})
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()

    def url(**changed) -> str:
        query = {
            "response_type": "code",
            "client_id": company.application,
            "redirect_uri": place,
            "state": "s",
            "code_challenge_method": "S256",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        }
        return f"{company.aws.endpoint_url}/authorize?{urlencode({**query, **changed})}"

    def redeem(code: str, **changed) -> dict:
        given = {"code": code, "redirectUri": place, "codeVerifier": verifier, **changed}
        call = company.oidc().create_token_with_iam
        return call(clientId=company.application, grantType="authorization_code", **given)

    def code() -> str:
        location = company.aws.approve(url(), "jane")["location"]
        assert location.startswith(f"{place}?")
        return parse_qs(urlsplit(location).query)["code"][0]

    first = code()
    assert claims_of(redeem(first)["idToken"])["sub"] == company.user("jane")
    assert refusal(redeem, code=first)[1] == "InvalidGrantException"
    assert refusal(redeem, code=code(), codeVerifier="x" * 43)[1] == "InvalidGrantException"
    assert refusal(redeem, code=code(), redirectUri="https://evil.example")[1] == "InvalidGrantException"
    for changed in ({"redirect_uri": "https://evil.example/"}, {"redirect_uri": f"{place}/x"}):
        with pytest.raises(CommandError, match="redirect_uri"):
            company.aws.approve(url(**changed), "jane")
    with pytest.raises(CommandError, match="omar is not assigned to the application shop"):
        company.aws.approve(url(), "omar")


# -- other worlds -------------------------------------------------------------------------------------------------


def test_tokens_of_another_world_are_worth_nothing(company, emulator_server, refusal):
    company.grant("refresh_token", {"RefreshToken": {}})
    company.scope("sso:account:access")
    answer = company.exchange(company.token())
    with emulator_server.world() as elsewhere:
        portal = elsewhere.client("sso")
        assert refusal(portal.list_accounts, accessToken=answer["accessToken"])[1] == "UnauthorizedException"
