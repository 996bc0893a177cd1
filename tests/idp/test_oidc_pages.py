"""The pages of lab issuers, as a third party's client sees them (docs/oidc.md)."""

import json
import urllib.error
import urllib.request

import jwt
import pytest

from sts_emulator.idp.presets import PRESETS

GITHUB = "https://token.actions.githubusercontent.com"


class Page:
    """Plain HTTP against one world's pages."""

    def __init__(self, base: str) -> None:
        self.base = base

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)


@pytest.fixture
def page(aws) -> Page:
    return Page(aws.endpoint_url)


def test_the_list_says_what_there_is_and_what_could_be(page):
    status, answer = page("GET", "issuers")
    assert status == 200
    assert [issuer["name"] for issuer in answer["issuers"]] == ["github"]
    assert set(answer["presets"]) == set(PRESETS)
    assert answer["presets"]["github"]["options"]["branch"] == "main"


def test_a_library_verifies_a_token_through_discovery(page):
    """PyJWT's own key client, which knows nothing of the emulator, fetches and caches the keys."""
    _, minted = page("POST", "issuers/github/token", {"repo": "acme/shop"})
    _, discovery = page("GET", "issuers/github/.well-known/openid-configuration")
    assert discovery["issuer"] == GITHUB
    client = jwt.PyJWKClient(discovery["jwks_uri"])
    key = client.get_signing_key_from_jwt(minted["token"])
    algorithms = discovery["id_token_signing_alg_values_supported"]
    claims = jwt.decode(minted["token"], key, algorithms=algorithms, audience="sts.amazonaws.com", issuer=GITHUB)
    assert claims == minted["claims"]
    assert set(discovery["claims_supported"]) <= set(claims)


def test_discovery_has_what_aws_demands(page):
    _, discovery = page("GET", "issuers/github/.well-known/openid-configuration")
    assert {"issuer", "jwks_uri", "response_types_supported", "subject_types_supported"} <= set(discovery)


def test_an_issuer_with_a_url_on_this_server(page):
    status, made = page("PUT", "issuers/ci", {"preset": "github", "url": "local"})
    assert (status, made["url"]) == (201, f"{page.base}/issuers/ci")
    discovery = json.load(urllib.request.urlopen(f"{made['url']}/.well-known/openid-configuration"))
    assert discovery["issuer"] == made["url"]
    assert json.load(urllib.request.urlopen(discovery["jwks_uri"]))["keys"][0]["kid"]
    assert page("PUT", "issuers/ci", {"preset": "github", "url": "local"})[0] == 200


def test_an_issuer_of_a_preset_needs_no_making(page):
    status, minted = page("POST", "issuers/gitlab/token", {"project": "acme/shop"})
    assert status == 200
    assert minted["claims"]["sub"] == "project_path:acme/shop:ref_type:branch:ref:main"


def test_rotation_publishes_the_new_key_beside_the_old(page):
    page("POST", "issuers/github/token")
    _, before = page("GET", "issuers/github/jwks")
    status, after = page("POST", "issuers/github/rotate")
    assert status == 200
    assert len(after["jwks"]["keys"]) == 2
    assert after["jwks"]["keys"][1:] == before["keys"]
    assert len(page("POST", "issuers/github/rotate", {"keep": False})[1]["jwks"]["keys"]) == 1


def test_no_page_tells_a_private_key(page):
    page("POST", "issuers/github/token")
    for path in ("issuers", "issuers/github", "issuers/github/jwks", "issuers/github/.well-known/jwks"):
        answer = json.dumps(page("GET", path)[1])
        assert "PRIVATE" not in answer
        assert '"d"' not in answer


def test_keys_are_as_those_of_real_issuers(page):
    for key in page("GET", "issuers/github/jwks")[1]["keys"]:
        assert {"kid", "kty", "use", "alg", "n", "e"} == set(key)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "issuers/nobody", None, 404, "no issuer `nobody`"),
        ("POST", "issuers/nobody/token", {}, 404, "no issuer `nobody`"),
        ("GET", "issuers/github/nothing", None, 404, "no page"),
        ("DELETE", "issuers/github", None, 405, "takes GET and PUT"),
        ("POST", "issuers/github/token", b"{", 400, "the body is not a JSON object"),
        ("POST", "issuers/github/token", b"[]", 400, "the body is not a JSON object"),
        ("POST", "issuers/github/token", b"[" * 50_000, 400, "the body is not a JSON object"),
        ("POST", "issuers/github/token", b"\xff", 400, "the body is not a JSON object"),
        ("POST", "issuers/github/token", {"expires_in": "soon"}, 400, "an option cannot be used"),
        ("POST", "issuers/github/job", {"expires_in": []}, 400, "an option cannot be used"),
        ("PUT", "issuers/x", {"preset": "nothing"}, 404, "no issuer preset `nothing`"),
        ("PUT", "issuers/x", {"preset": 5}, 400, "preset, url and algorithm are strings"),
        ("PUT", "issuers/x", {"preset": "plain", "url": "javascript:alert(1)"}, 400, "is not an issuer's URL"),
        ("PUT", "issuers/x", {"preset": "plain", "url": "http://[::1"}, 400, "Invalid IPv6 URL"),
        ("PUT", "issuers/x", {"preset": "plain", "algorithm": "none"}, 400, "no algorithm `none`"),
        ("PUT", "issuers/X%20Y", {"preset": "plain"}, 400, "issuer names are"),
        ("GET", "issuers/github/id-token", None, 401, "the request token is not valid"),
    ],
)
def test_mistakes_are_said(page, method, path, body, status, message):
    got, answer = page(method, path, body)
    assert got == status
    assert message in answer["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://evil.example", "Host": "evil.example"},
    ],
)
def test_other_web_pages_cannot_drive_it(page, headers):
    """Neither a cross-site request nor one after DNS rebinding, where host and origin agree."""
    assert page("POST", "issuers/github/token", {}, **headers)[0] in (400, 403)


def test_a_page_of_its_own_may(page):
    assert page("POST", "issuers/github/token", {}, Origin=page.base.partition("/w/")[0])[0] == 200


def test_worlds_have_issuers_of_their_own(page, emulator_server):
    _, here = page("GET", "issuers/github/jwks")
    with emulator_server.world() as elsewhere:
        assert elsewhere.page("GET", "issuers/github/jwks")["keys"] != here["keys"]
