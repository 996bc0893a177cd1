"""A learner of a class as an attacker: what Ada finds of Ben's, and does in his world, with all that she has. It is nothing.

She has her token, her lab with every key and password in it, and the address of his world, which she can guess.
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from contextlib import closing
from urllib.parse import quote, urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError
from by_hand import Person

from sts_emulator.cli.control import Control
from sts_emulator.cli.learner import Learner
from sts_emulator.labs import proof, shelf
from sts_emulator.labs.hands import Hands
from sts_emulator.pages.tokens import derived

TOKEN = "a-token-of-the-school-server"
ADA, BEN = "spring-01", "spring-02"
KEY = re.compile(r"AWS_ACCESS_KEY_ID=(AKIA\w+) AWS_SECRET_ACCESS_KEY=([\w-]+)")


@pytest.fixture(scope="module")
def guarded(serve, tmp_path_factory):
    """A server for a class: it asks for tokens, and moto is behind its door."""
    folder = tmp_path_factory.mktemp("guarded")
    flags = ("--scenario", "/dev/null", "--state", "state.db", "--token", TOKEN, "--upstream", "moto")
    with serve(*flags, cwd=folder) as (url, _):
        yield url


@pytest.fixture
def both(guarded):
    """Ada and Ben, each with their token, in worlds that are there; `begin(lab)` begins a lab for both."""
    with Control(guarded, TOKEN) as teacher:
        learners = [Learner(Control(guarded, derived(TOKEN, world)), world) for world in (ADA, BEN)]
        for learner in learners:
            teacher.api("POST", "worlds", body={"name": learner.world})
        yield learners
        for learner in learners:
            learner.close()
            teacher.api("DELETE", "worlds", learner.world)


def begun(both, lab: str):
    """Both begin a lab, and Ben has solved it. What each is told, and Ben's events so far."""
    told = [learner.start(lab) for learner in both]
    proof.solve(both[1], lab)
    both[1].check(lab)
    return (*told, both[1].events())


class Staying(urllib.request.HTTPRedirectHandler):
    """A client that goes nowhere else."""

    def redirect_request(self, *_):
        return None


def asked(url: str, token: str = "", body: bytes | None = None, method: str = "", **headers: str) -> tuple[int, str]:
    """Status and text of an answer, with this token; a redirect is an answer."""
    given = {"Authorization": f"Bearer {token}"} if token else {}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, body, given, method=method or None)
    try:
        with urllib.request.build_opener(Staying).open(request, timeout=120) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def raw(url: str, target: str, token: str) -> tuple[int, str]:
    """Status and text of an answer to a target that is sent as it stands, which clients would mend."""
    connection = http.client.HTTPConnection(str(urlsplit(url).hostname), urlsplit(url).port, timeout=120)
    try:
        connection.putrequest("GET", target, skip_host=False)
        connection.putheader("Authorization", f"Bearer {token}")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def secrets_of(told) -> list[str]:
    """What of a learner's lab is nobody else's."""
    return [told["environment"]["secret_access_key"], told["values"]["account"], told["values"]["secret"]]


def refusal_of(call) -> str:
    """The code of the error that a call must have."""
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"]


def hands_in(world: Learner, keys: tuple[str, ...] = ()) -> Hands:
    """A client that signs with these keys, in that world."""
    return Hands(world.endpoint, {}, keys, lambda *_: None, lambda *_: None)


# -- what is the emulator's own --------------------------------------------------------------------------------------


def test_no_part_of_the_control_api_answers_about_another_world(both, guarded):
    _, bens, _ = begun(both, "assume-role")
    paths = json.loads(asked(f"{guarded}/_emulator/openapi.json", TOKEN)[1])["paths"]
    tried = 0
    for path, methods in paths.items():
        filled = path.replace("{world}", BEN).replace("{lab}", "assume-role")
        for method in methods:
            body = b"{}" if method in ("post", "put", "patch") else None
            status, text = asked(guarded + re.sub(r"\{\w+\}", "1", filled), derived(TOKEN, ADA), body, method.upper())
            assert status == 403, (method, path)
            assert not any(secret in text for secret in secrets_of(bens)), path
            tried += 1
    assert tried > 30
    assert both[1].read("assume-role")["state"] == "solved"  # nothing was begun again


def test_no_page_of_anothers_console_answers(both):
    _, bens, events = begun(both, "assume-role")
    places = (
        "",
        "labs",
        "labs/assume-role",
        f"attempts/{events[-1]['requestID']}",
        "attempts/last",
        "live",
        "explorer",
    )
    places += ("workbench", "world", "mailbox", "worlds", "class", "class/spring", "compare", "static/lab.js")
    for place in places:
        status, text = asked(f"{both[1].endpoint}/_emulator/{place}", derived(TOKEN, ADA))
        assert status == 403, place
        assert not any(secret in text for secret in secrets_of(bens)), place
    for place in ("start", "check", "hints", "solution", "predictions"):
        url = f"{both[1].endpoint}/_emulator/labs/assume-role/{place}"
        assert asked(url, derived(TOKEN, ADA), b"step=intern&answer=allow")[0] == 403, place


@pytest.mark.parametrize(
    "target",
    [
        "/w/spring-01/../spring-02/_emulator/labs",
        "/w/spring-01/%2e%2e/spring-02/_emulator/labs",
        "/w/spring-01%2f..%2fspring-02/_emulator/labs",
        "/w/spring-01/w/spring-02/_emulator/labs",
        "//w/spring-02/_emulator/labs",
        "/w//spring-02/_emulator/labs",
        "/w/SPRING-02/_emulator/labs",
        "/w/spring-02%20/_emulator/labs",
        "/w/spring-02%00/_emulator/labs",
        "/w/spring-02/_emulator/labs?world=spring-01",
        "/w/spring-02/%5femulator/labs",
        "/_emulator/api/worlds/spring-02/labs?world=spring-01",
        "/_emulator/api/worlds/spring-01/../spring-02/labs",
        "/_emulator/api/worlds/spring-01%2F..%2Fspring-02/labs",
        "/_emulator/api/worlds/spring%2D02/labs",
        "/_emulator/api//worlds/spring-02/labs",
        "/_emulator/api/worlds//spring-02/labs",
        "/_emulator/api/worlds/spring-02%2Flabs",
        "/_emulator/api/worlds/spring-02/labs/",
        "/_emulator/./api/worlds/spring-02/labs",
        "/_emulator/%61pi/worlds/spring-02/labs",
        "http://x/_emulator/api/worlds/spring-02/labs",
    ],
)
def test_no_spelling_of_an_address_leads_there(both, guarded, target):
    _, bens, _ = begun(both, "assume-role")
    status, text = raw(guarded, target, derived(TOKEN, ADA))
    assert status >= 400 or "assume-role" not in text
    assert not any(secret in text for secret in secrets_of(bens))


@pytest.mark.parametrize(
    "forge",
    [
        lambda own: own.replace(ADA, BEN),
        lambda own: own.replace(ADA, "*"),
        lambda own: own.replace(f":{ADA}:", f":{ADA},{BEN}:"),
        lambda own: own.replace("write:", "write:*:"),
        lambda own: own.upper(),
        lambda own: own[:-1],
        lambda own: own.rpartition(":")[2],
        lambda _: f"write:{BEN}:",
        lambda _: "",
        lambda _: TOKEN[:-1],
    ],
)
def test_a_token_that_she_alters_is_none(both, forge):
    token = forge(derived(TOKEN, ADA))
    assert asked(f"{both[1].endpoint}/_emulator/labs", token)[0] in (401, 403)


def test_what_makes_evidence_in_his_world_asks_for_his_token(both):
    begun(both, "saml")
    ben = both[1].endpoint
    for path, body in (
        ("issuers/github/token", {"repo": "acme/shop"}),
        ("issuers/github/rotate", {}),
        ("issuers/github/job", {}),
        ("idp/portal/assertions", {"user": "jane"}),
        ("private-ca", {"name": "x"}),
    ):
        sent = json.dumps(body).encode()
        assert asked(f"{ben}/{path}", derived(TOKEN, ADA), sent, content_type="application/json")[0] == 403, path


def test_what_anybody_sees_of_his_world_tells_nothing_of_his(both, guarded):
    for lab in ("web-identity", "saml", "instance-profile"):
        _, bens, _ = begun(both, lab)
        places = ("", "idp", "idp/portal", "idp/portal/metadata", "issuers", "issuers/github", "issuers/github/jwks")
        places += ("private-ca", "imds/certificate", "imds/", "ecs/v2/credentials", "ecs/v1/credentials", "health")
        places += ("issuers/github/id-token", "pod-identity/v1/credentials", "metrics", "saml", "start", "portal")
        for url in (*(f"{both[1].endpoint}/{place}" for place in places), f"{guarded}/metrics", f"{guarded}/ready"):
            assert not any(secret in asked(url)[1] for secret in secrets_of(bens)), url


# -- credentials, tokens and passwords of AWS's own doors ------------------------------------------------------------


@pytest.mark.parametrize("lab", shelf.names())
def test_no_key_or_password_of_her_lab_opens_his(both, lab):
    # Given the same lab in both worlds, with the same names in its story
    hers, bens, _ = begun(both, lab)
    text = "\n".join(step["commands"] for step in hers["steps"])
    own = hers["environment"]
    keys = [(own["access_key_id"], own["secret_access_key"]), *KEY.findall(text)]

    # When she signs with each key of it there, then none is taken
    for key in keys:
        with closing(hands_in(both[1], key)) as thief:
            code = refusal_of(thief.client("sts").get_caller_identity)
            assert code in ("InvalidClientTokenId", "SignatureDoesNotMatch"), key[0]

    # And no secret of the story is the same for both
    shared = set(re.findall(r"[\w-]*[0-9a-f]{12}[\w-]*", text)) & set(
        re.findall(r"[\w-]*[0-9a-f]{12}[\w-]*", "\n".join(step["commands"] for step in bens["steps"]))
    )
    assert not any(hers["values"]["secret"] in word for word in shared)


def test_no_session_of_hers_is_one_there(both):
    begun(both, "assume-role")
    with closing(both[0].hands("assume-role")) as hands:
        given = hands.client("sts").get_session_token()["Credentials"]
    with closing(hands_in(both[1], (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]))) as thief:
        assert refusal_of(thief.client("sts").get_caller_identity) == "InvalidClientTokenId"


def test_no_token_of_her_issuer_is_believed_there(both):
    _, bens, _ = begun(both, "web-identity")
    ada = both[0].hands("web-identity")
    claims = {"repo": "acme/shop", "ref": "refs/heads/main"}
    token = ada.page("POST", "issuers/github/token", body=claims)["token"]
    ada.close()
    role = f"arn:aws:iam::{bens['values']['account']}:role/deploy"
    with closing(hands_in(both[1])) as thief:
        sts = thief.client("sts")
        code = refusal_of(
            lambda: sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="ada", WebIdentityToken=token)
        )
    assert code == "InvalidIdentityToken"


def test_no_assertion_of_her_portal_is_believed_there(both):
    hers, bens, _ = begun(both, "saml")
    theirs = f"arn:aws:iam::{bens['values']['account']}"
    with closing(both[0].hands("saml")) as ada:
        # Her portal would even write his role into it: it is hers to change.
        text = ada.page("POST", "idp/portal/assertions", body={"user": "jane"})["SAMLResponse"]
    with closing(hands_in(both[1])) as thief:
        sts = thief.client("sts")
        code = refusal_of(
            lambda: sts.assume_role_with_saml(
                RoleArn=f"{theirs}:role/Viewer", PrincipalArn=f"{theirs}:saml-provider/portal", SAMLAssertion=text
            )
        )
    assert code == "InvalidIdentityToken"
    assert hers["values"]["account"] != bens["values"]["account"]


@pytest.mark.parametrize("password", ["omar", "hers", "", "omar-{{secret}}"])
def test_no_password_of_hers_signs_in_at_his_portal(both, password):
    hers, _, _ = begun(both, "saml")
    given = f"omar-{hers['values']['secret']}" if password == "hers" else password
    fields = urlencode({"username": "omar", "password": given, "RelayState": "", "SAMLRequest": ""})
    status, text = asked(f"{both[1].endpoint}/idp/portal/sso", "", fields.encode())
    assert status == 401
    assert "SAMLResponse" not in text


def test_her_guests_and_users_are_none_of_his_app(both):
    hers, bens, _ = begun(both, "cognito")
    password = f"Correct-horse-1-{hers['values']['secret']}"
    with closing(hands_in(both[1])) as thief:
        identity, users = thief.client("cognito-identity"), thief.client("cognito-idp")
        assert (
            refusal_of(
                lambda: identity.get_id(IdentityPoolId=f"us-east-1:9b0a7c6d-5e4f-4a3b-8c2d-{hers['values']['account']}")
            )
            == "ResourceNotFoundException"
        )
        for client in (hers["values"]["account"], bens["values"]["account"]):
            code = refusal_of(
                lambda client=client: users.initiate_auth(
                    ClientId=f"1photoapp{client}",
                    AuthFlow="USER_PASSWORD_AUTH",
                    AuthParameters={"USERNAME": "ana", "PASSWORD": password},
                )
            )
            assert code in ("ResourceNotFoundException", "NotAuthorizedException")


def test_her_portal_token_and_device_code_are_nothing_there(both):
    begun(both, "identity-center")
    with closing(both[0].hands("identity-center")) as ada:
        vars(shelf.module("identity-center"))["sign_in"](ada)
    with closing(hands_in(both[1])) as thief:
        portal = thief.client("sso")
        for token in ("jane", "x" * 200):
            assert refusal_of(lambda token=token: portal.list_accounts(accessToken=token)) == "UnauthorizedException"


# -- what is behind the door -----------------------------------------------------------------------------------------


def test_behind_the_door_she_reaches_only_her_own(both):
    hers, bens, before = begun(both, "access-keys")
    with closing(both[0].hands("access-keys")) as ada:
        s3, theirs = ada.client("s3"), bens["values"]["account"]
        own = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
        assert own == {f"{name}-{hers['values']['account']}" for name in ("reports", "payroll")}
        for call in (
            lambda: s3.get_object(Bucket=f"payroll-{theirs}", Key="salaries.csv"),
            lambda: s3.put_object(Bucket=f"payroll-{theirs}", Key="salaries.csv", Body=b"x"),
            lambda: s3.delete_object(Bucket=f"payroll-{theirs}", Key="salaries.csv"),
            lambda: s3.list_objects_v2(Bucket=f"payroll-{theirs}"),
            lambda: s3.get_bucket_policy(Bucket=f"payroll-{theirs}"),
            lambda: s3.delete_bucket(Bucket=f"payroll-{theirs}"),
            lambda: s3.copy_object(
                Bucket=f"reports-{hers['values']['account']}", Key="x", CopySource=f"payroll-{theirs}/salaries.csv"
            ),
        ):
            assert refusal_of(call) in ("AccessDenied", "AllAccessDisabled")
        # moto's own pages, which know all accounts and no worlds
        for key in ("data.json", "reset", "../moto-api/data.json"):
            assert refusal_of(lambda key=key: s3.get_object(Bucket="moto-api", Key=key))
        assert asked(f"{both[0].endpoint}/moto-api/reset", "", b"")[0] >= 400
    with closing(both[1].hands("access-keys")) as ben:
        assert ben.client("s3").get_object(Bucket=f"payroll-{theirs}", Key="salaries.csv")["Body"].read()
    assert both[1].events()[: len(before)] == before


# -- predictions -----------------------------------------------------------------------------------------------------


def test_no_answer_is_told_before_it_came_and_no_prediction_to_others(both):
    ada, ben = both
    for name in shelf.names():
        told = ada.start(name)
        for step, read in shelf.lab(name, told["values"]).steps.items():
            if read.predict is not None:
                asked_for = next(there for there in told["steps"] if there["name"] == step)["prediction"]
                assert set(asked_for) == {"question", "guess", "score", "came", "because"}
                assert (asked_for["guess"], asked_for["score"], asked_for["came"], asked_for["because"]) == (
                    None,
                    "",
                    None,
                    "",
                )
    ben.start("assume-role")
    ben.predict("assume-role", "intern", "deny", "trust")
    ada.start("assume-role")
    guesses = [step["prediction"]["guess"] for step in ada.read("assume-role")["steps"] if step["prediction"]]
    assert guesses == [None] * len(guesses)


def test_she_does_not_sign_in_as_his_root(both, guarded):
    """Not with the password that root has where nobody else can connect, nor with her own root's."""
    hers, bens, _ = begun(both, "assume-role")
    account = bens["values"]["account"]
    keys = [
        json.loads(asked(f"{guarded}/_emulator/api/worlds/{world}/credentials", token)[1])["secret_access_key"]
        for world, token in ((ADA, derived(TOKEN, ADA)), (BEN, TOKEN))
    ]
    person, page = Person(guarded), f"{both[1].endpoint}/signin"
    with person.http:
        for password in ("root", "", keys[0], hers["environment"]["secret_access_key"]):
            person.open(page).send(account=account, username="root", password=password)
            assert (person.page.status_code, "authentication information is incorrect" in person.text) == (403, True)
        person.open(page).send(account=account, username="root", password=keys[1])
        assert f"arn:aws:iam::{account}:root" in person.text


@pytest.mark.usefixtures("both")
def test_quoting_of_names_is_no_way_out(guarded):
    for name in ("..", ".", f"../{BEN}", f"{ADA}/../{BEN}", "%2e%2e"):
        url = f"{guarded}/_emulator/api/worlds/{quote(name, safe='')}/labs"
        assert asked(url, derived(TOKEN, ADA))[0] in (403, 404), name
