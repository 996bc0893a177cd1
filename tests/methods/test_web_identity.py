"""AssumeRoleWithWebIdentity as its clients see it: who gets in, and what every attack is told.

Unmodified boto3 and AWS CLI against a server; sentences, codes and statuses are AWS's
(docs/aws/sts.md, "Denials of federated calls", docs/aws/web-identity.md, "Rules for tokens").
"""

import base64
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from web_identity_forge import Key, b64, issuer_on_socket, unsigned

pytestmark = pytest.mark.scenario("web_identity.yaml")

DEV = "111122223333"
GITHUB = "https://token.actions.githubusercontent.com"
CORP = "https://idp.example.com"
DENIED = ("AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
NO_KEY = (
    "InvalidIdentityToken",
    400,
    (
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
        "documentation for requirements"
    ),
)
NOT_VALIDATED = (
    "InvalidIdentityToken",
    400,
    (
        "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for "
        "requirements."
    ),
)
NOT_A_TOKEN = (
    "InvalidIdentityToken",
    400,
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
)


def role(name: str, account: str = DEV) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


@pytest.fixture
def sts(aws):
    """A client without credentials, as a CI job is before it has a role."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    return aws.client("sts", config=config)


@pytest.fixture
def assume(sts):
    def call(name: str, token: str, **more: object) -> dict:
        arn = name if name.startswith("arn:") else role(name)
        return sts.assume_role_with_web_identity(
            **{"RoleArn": arn, "RoleSessionName": "test", "WebIdentityToken": token, **more}
        )

    return call


@pytest.fixture
def refused(assume):
    """What a call is told: code, status, message."""

    def call(name: str, token: str, **more: object) -> tuple[str, int, str]:
        with pytest.raises(ClientError) as caught:
            assume(name, token, **more)
        response = caught.value.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]

    return call


def corp(aws, **claims: object) -> str:
    return aws.token("corp", **{"aud": "client-a", **claims})


class TestWhoGetsIn:
    def test_a_job_on_the_trusted_branch(self, aws, assume):
        answer = assume("deploy", aws.token("github", repo="acme/shop", branch="main"))
        assert answer["SubjectFromWebIdentityToken"] == "repo:acme/shop:ref:refs/heads/main"
        assert answer["Audience"] == "sts.amazonaws.com"
        assert answer["Provider"] == f"arn:aws:iam::{DEV}:oidc-provider/token.actions.githubusercontent.com"
        assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{DEV}:assumed-role/deploy/test"
        identity = aws.client("sts", answer["Credentials"]).get_caller_identity()
        assert identity["Arn"] == answer["AssumedRoleUser"]["Arn"]

    def test_a_token_s_life_does_not_shorten_the_session(self, aws, assume):
        answer = assume("anybody-of-corp", corp(aws, expires_in=60), DurationSeconds=7200)
        lasts = (
            answer["Credentials"]["Expiration"].timestamp() - aws.page("POST", "issuers/corp/token")["claims"]["iat"]
        )
        assert 7190 < lasts <= 7201

    def test_a_pod_with_its_service_account_through_the_sdk_s_own_provider(self, aws, tmp_path):
        """IRSA: the token file that boto3 reads, refreshes and exchanges by itself."""
        file = tmp_path / "token"
        file.write_text(aws.token("kubernetes", namespace="shop", service_account="api"))
        answer = aws_cli(aws, "sts", "get-caller-identity", AWS_ROLE_ARN=role("pod"), AWS_WEB_IDENTITY_TOKEN_FILE=file)
        assert json.loads(answer.stdout)["Arn"].startswith(f"arn:aws:sts::{DEV}:assumed-role/pod/")

    def test_a_token_file_that_ends_its_line(self, aws, tmp_path):
        # `echo $TOKEN > file`, as CI recipes have it; no SDK strips the file (aws-sdk-js#4459, terraform-provider-aws#42641)
        token = aws.token("github", repo="acme/shop", ref="refs/heads/main")
        (tmp_path / "token").write_text(f"{token}\n")
        answer = aws_cli(
            aws,
            *("sts", "get-caller-identity"),
            AWS_ROLE_ARN=role("deploy"),
            AWS_WEB_IDENTITY_TOKEN_FILE=tmp_path / "token",
        )
        assert ":assumed-role/deploy/" in json.loads(answer.stdout)["Arn"]

    @pytest.mark.parametrize("shape", [" {}", "{}\r\n", "{}\n\n", "\n{}", "{} "])
    def test_other_white_space_around_it_is_not_known_to_pass(self, aws, refused, shape):
        token = aws.token("github", repo="acme/shop", ref="refs/heads/main")
        assert refused("deploy", shape.format(token)) == NOT_A_TOKEN

    def test_a_google_account_without_any_provider(self, aws, assume):
        """Google is built in, and `azp` is what AWS takes for the audience."""
        claims = {"aud": "https://aws.example.com"}
        answer = assume("google", aws.token("google", **claims))
        assert answer["Provider"] == "accounts.google.com"
        assert answer["Audience"] == answer["SubjectFromWebIdentityToken"]
        assert assume("google", aws.token("google", iss="accounts.google.com", **claims))

    def test_an_issuer_whose_url_ends_with_a_slash(self, aws, assume):
        assert assume("entra", aws.token("entra", object_id="o-1"))["Audience"] == "api://aws-federation"

    def test_tags_and_source_identity_of_the_token_reach_the_session(self, aws, assume):
        tags = {"principal_tags": {"team": ["red"]}, "transitive_tag_keys": ["team"]}
        more = {"https://aws.amazon.com/tags": tags, "https://aws.amazon.com/source_identity": "alice"}
        answer = assume("tagged", corp(aws, **more))
        assert answer["SourceIdentity"] == "alice"
        iam = aws.client("iam", answer["Credentials"])
        assert iam.get_role(RoleName="tagged")["Role"]["RoleName"] == "tagged"
        blue = {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["blue"]}}}
        with pytest.raises(ClientError, match="not authorized to perform: iam:GetRole"):
            aws.client("iam", assume("tagged", corp(aws, **blue))["Credentials"]).get_role(RoleName="tagged")

    @pytest.mark.parametrize(
        ("claims", "percent"),
        [
            ({"sub": ""}, 24),
            ({"sub": "subject-probe"}, 25),
            (
                {
                    "sub": "subject-probe",
                    "https://aws.amazon.com/tags": {"principal_tags": {"team": ["red"]}},
                },
                25,
            ),
            ({"sub": "subject-probe", "https://aws.amazon.com/source_identity": "source-probe"}, 26),
        ],
    )
    def test_the_packed_size_is_always_told(self, aws, assume, claims, percent):
        """Recorded on AWS on 2026-09-11; see docs/assume-role.md, "Session policies, and the size of the token"."""
        assert assume("whatever-corp-says", corp(aws, **claims))["PackedPolicySize"] == percent

    def test_a_token_that_names_the_role(self, aws, assume):
        assert assume("only-listed", corp(aws, **{"https://aws.amazon.com/roles": [role("only-listed")]}))

    def test_every_condition_key_that_aws_gives(self, aws, assume):
        token = corp(aws, aud=["x", "y"], azp="client-b", amr=["pwd", "mfa"])
        assert assume("who-is-it", token)["Audience"] == "client-b"

    def test_the_login_stays_with_the_session_through_the_next_role(self, aws, assume):
        first = aws.client("sts", assume("chaining", corp(aws))["Credentials"])
        assert first.assume_role(RoleArn=role("chained"), RoleSessionName="next")
        second = aws.client("sts", assume("chaining", corp(aws, sub="other"))["Credentials"])
        with pytest.raises(ClientError, match="AccessDenied"):
            second.assume_role(RoleArn=role("chained"), RoleSessionName="next")

    def test_claims_that_became_condition_keys_in_2026(self, aws, assume, refused):
        assert assume("by-repository", aws.token("github", repo="acme/shop", environment="production"))
        assert refused("by-repository", aws.token("github", repo="acme/shop", environment="staging")) == DENIED

    def test_and_all_the_others_are_none(self, aws, refused):
        """event_name is a claim of the token, but no key: StringEquals on it never matches."""
        assert refused("by-event", aws.token("github", repo="acme/shop", event="push")) == DENIED


class TestTheWrongToken:
    """Honestly signed, for somebody or something else: the trust policy says no."""

    @pytest.mark.parametrize(
        "job",
        [
            {"repo": "mallory/shop"},
            {"repo": "acme/shop-fork"},
            {"repo": "acme/shop", "branch": "feature"},
            {"repo": "acme/shop", "branch": "main2"},
            {"repo": "acme/shop", "tag": "main"},
            {"repo": "acme/shop", "pull_request": 42},
            {"repo": "acme/shop", "environment": "production"},
            {"repo": "Acme/shop"},
            {"repo": "acme/shop", "immutable": True},
        ],
        ids=str,
    )
    def test_another_job(self, aws, refused, job):
        assert refused("deploy", aws.token("github", **job)) == DENIED

    def test_why_is_told_to_the_owner_only(self, aws, assume):
        with pytest.raises(ClientError) as caught:
            assume("deploy", aws.token("github", repo="acme/shop", branch="feature"))
        assert "repo:acme/shop:ref:refs/heads/feature" in aws.explain(caught.value)

    @pytest.mark.parametrize("audience", ["https://github.com/acme", "client-a", "", "STS.amazonaws.com"])
    def test_another_audience(self, aws, refused, audience):
        token = aws.token("github", repo="acme/shop", aud=audience)
        assert refused("deploy", token) == ("InvalidIdentityToken", 400, "Incorrect token audience")

    def test_several_audiences_of_which_one_is_right(self, aws, refused):
        message = "Token audience contains more than one audience while authorized party is not present"
        token = corp(aws, aud=["client-a", "other"])
        assert refused("anybody-of-corp", token) == ("InvalidIdentityToken", 400, message)

    def test_the_right_audience_with_another_authorized_party(self, aws, refused):
        """Recorded on AWS, 2026-09: `aud` is registered, `azp` is not the client."""
        assert refused("anybody-of-corp", corp(aws, azp="mallory")) == NOT_VALIDATED
        assert refused("anybody-of-corp", corp(aws, aud=["client-a", "other"], azp="mallory")) == NOT_VALIDATED

    def test_neither_the_audience_nor_the_authorized_party(self, aws, refused):
        token = corp(aws, aud="other", azp="mallory")
        assert refused("anybody-of-corp", token) == ("InvalidIdentityToken", 400, "Incorrect token audience")

    def test_an_expired_one(self, aws, refused, assume):
        token = corp(aws, expires_in=60)
        aws.advance(minutes=5, seconds=30)
        assert assume("anybody-of-corp", token)
        aws.advance(minutes=1)
        code, status, message = refused("anybody-of-corp", token)
        assert (code, status) == ("ExpiredTokenException", 400)
        assert message.startswith("Token expired: current date/time ")
        assert " must be before the expiration date/time " in message

    def test_one_of_the_future(self, aws, refused):
        later = aws.page("POST", "issuers/corp/token")["claims"]["iat"] + 3600
        assert refused("anybody-of-corp", corp(aws, iat=later)) == (
            "InvalidIdentityToken",
            400,
            f"Token issued in the future: {later}",
        )
        code, status, message = refused("anybody-of-corp", corp(aws, nbf=later))
        assert (code, status) == ("InvalidIdentityToken", 400)
        assert message.endswith(f" must be after or equal to the not-before date/time {later}")

    @pytest.mark.parametrize("name", ["iss", "sub", "aud", "iat", "exp"])
    def test_one_without_a_required_claim(self, aws, refused, name):
        message = f"Missing a required claim: {name}"
        assert refused("anybody-of-corp", aws.token("corp", **{name: None})) == ("InvalidIdentityToken", 400, message)

    def test_one_of_another_world(self, aws, emulator_server, assume, refused):
        own = corp(aws)
        with emulator_server.world(world_scenario()) as elsewhere:
            foreign = corp(elsewhere)
        assert assume("anybody-of-corp", own)
        assert refused("anybody-of-corp", foreign) == NO_KEY

    def test_one_of_an_issuer_that_is_not_registered(self, aws, refused):
        message = "No OpenIDConnect provider found in your account for https://stranger.example.com"
        assert refused("deploy", aws.token("stranger")) == ("InvalidIdentityToken", 400, message)

    @pytest.mark.parametrize(
        "issuer",
        [
            f"{CORP}/",
            "https://IDP.example.com",
            "https://idp.example.com:443",
            "http://idp.example.com",
            "https://idp.example.com.evil.example",
            "https://evil.example/idp.example.com",
            "https://user@idp.example.com",
            "https://idp.example.com?x",
            f"https://{'x' * 5000}.example.com",
        ],
    )
    def test_one_whose_issuer_only_looks_registered(self, aws, refused, issuer):
        message = f"No OpenIDConnect provider found in your account for {issuer}"
        assert refused("anybody-of-corp", corp(aws, iss=issuer)) == ("InvalidIdentityToken", 400, message)

    @pytest.mark.parametrize(
        "issuer", ["idp.example.com", "", "issuer", "https://", "ftp://idp.example.com", 5, ["x"], "http://[::1"]
    )
    def test_one_whose_issuer_is_no_url(self, aws, refused, issuer):
        assert refused("anybody-of-corp", corp(aws, iss=issuer)) == (
            "InvalidIdentityToken",
            400,
            "Issuer must be a valid URL",
        )

    def test_tags_without_tag_session(self, aws, refused):
        tags = {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["red"]}}}
        assert refused("anybody-of-corp", corp(aws, **tags)) == DENIED

    def test_a_source_identity_without_permission(self, aws, refused):
        assert refused("anybody-of-corp", corp(aws, **{"https://aws.amazon.com/source_identity": "alice"})) == DENIED

    def test_tags_of_a_wrong_form(self, aws, refused):
        tags = {"https://aws.amazon.com/tags": {"principal_tags": {"team": "red"}}}
        message = "principal_tags passed in claim is not in correct format."
        assert refused("tagged", corp(aws, **tags)) == ("InvalidIdentityToken", 400, message)

    @pytest.mark.parametrize("roles", [[role("deploy")], f"{role('only-listed')}x", [role("deploy"), 5]])
    def test_one_that_names_other_roles(self, aws, refused, roles):
        """Refused before the trust policy is asked, whatever that says."""
        message = "The target role ARN is not present in the roles claim of the identity token"
        token = corp(aws, **{"https://aws.amazon.com/roles": roles})
        for name in ("anybody-of-corp", "only-listed"):
            assert refused(name, token) == ("InvalidIdentityToken", 400, message)

    def test_one_that_names_no_role_where_it_must(self, aws, refused):
        assert refused("only-listed", corp(aws)) == DENIED

    def test_a_guard_on_the_principal_s_arn_hits_tokens_too(self, aws, refused):
        """aws:PrincipalArn is absent, so a negated condition on it matches."""
        assert refused("no-strangers", corp(aws)) == DENIED


class TestTheWrongRole:
    def test_that_does_not_exist(self, aws, refused):
        assert refused("nothing", corp(aws)) == DENIED

    def test_that_trusts_aws_principals_only(self, aws, refused):
        assert refused("aws-only", corp(aws)) == DENIED
        assert refused("of-nobody", corp(aws)) == DENIED

    def test_of_another_account_with_a_provider_of_its_own(self, aws, assume, refused):
        assert assume(role("of-prod", "444455556666"), corp(aws))
        assert refused(role("foreign-provider", "444455556666"), corp(aws)) == DENIED

    def test_of_an_account_without_the_provider(self, aws, refused):
        message = f"No OpenIDConnect provider found in your account for {GITHUB}"
        token = aws.token("github", repo="acme/shop")
        assert refused(role("of-prod", "444455556666"), token) == ("InvalidIdentityToken", 400, message)

    def test_whose_name_differs_in_case_or_path(self, aws, refused):
        assert refused("Anybody-of-corp", corp(aws)) == DENIED
        assert refused("path/anybody-of-corp", corp(aws)) == DENIED

    @pytest.mark.parametrize(
        ("arn", "message"),
        [
            ("nothing-valid-in-here", "nothing-valid-in-here is invalid"),
            (f"arn:aws:iam::{DEV}:saml-provider/corp", "Request ARN is invalid"),
            (f"arn:aws:iam::{DEV}:user/alice", "Request ARN is invalid"),
        ],
    )
    def test_that_is_none(self, sts, aws, arn, message):
        with pytest.raises(ClientError) as caught:
            sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="test", WebIdentityToken=corp(aws))
        assert caught.value.response["Error"]["Code"] == "ValidationError"
        assert caught.value.response["Error"]["Message"] == message

    def test_for_too_long(self, aws, refused):
        code, status, message = refused(
            "only-listed", corp(aws, **{"https://aws.amazon.com/roles": role("only-listed")}), DurationSeconds=7200
        )
        assert (code, status) == ("ValidationError", 400)
        assert message == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."


@pytest.fixture(scope="module")
def keys():
    return Key("RS256", "rsa"), Key("ES256", "ec")


@pytest.mark.scenario('accounts: {"111122223333": {}}')
class TestForgeries:
    """Tokens that the issuer never made. `own` is an issuer on a loopback port, so that its keys are the test's."""

    @pytest.fixture
    def own(self, aws, keys):
        with issuer_on_socket() as issuer:
            issuer.key, issuer.elliptic = keys
            issuer.serve([issuer.key.jwk(alg="RS256", use="sig"), issuer.elliptic.jwk()])
            arn = aws.client("iam").create_open_id_connect_provider(Url=issuer.url, ClientIDList=["sts.amazonaws.com"])
            trust = {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Federated": arn["OpenIDConnectProviderArn"]},
                        "Action": "sts:AssumeRoleWithWebIdentity",
                    }
                ],
            }
            aws.client("iam").create_role(RoleName="own", AssumeRolePolicyDocument=json.dumps(trust))
            now = int(time.time())
            issuer.claims = {"iss": issuer.url, "sub": "me", "aud": "sts.amazonaws.com", "iat": now, "exp": now + 300}
            yield issuer

    def test_first_an_honest_one(self, own, assume):
        assert assume("own", own.key.token(own.claims))["SubjectFromWebIdentityToken"] == "me"
        assert assume("own", own.elliptic.token(own.claims))["SubjectFromWebIdentityToken"] == "me"

    def test_signed_by_a_key_of_the_forger(self, own, refused):
        assert refused("own", Key("RS256", "rsa").token(own.claims)) == NO_KEY
        assert refused("own", Key("ES256", "ec").token(own.claims)) == NO_KEY

    def test_with_claims_changed_after_signing(self, own, refused):
        head, _, signature = own.key.token(own.claims).split(".")
        changed = b64(json.dumps({**own.claims, "sub": "admin"}).encode())
        assert refused("own", f"{head}.{changed}.{signature}") == NO_KEY

    def test_with_the_signature_of_another_token(self, own, refused):
        head, body, _ = own.key.token(own.claims).split(".")
        assert refused("own", f"{head}.{body}.{own.key.token({'sub': 'x'}).rpartition('.')[2]}") == NO_KEY

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "EdDSA", "HS256", "ES256K", ""])
    def test_of_an_algorithm_that_is_not_accepted(self, own, refused, algorithm):
        for signature in (b"", b"x" * 64):
            assert refused("own", unsigned({"alg": algorithm, "kid": "rsa"}, own.claims, signature)) == NO_KEY

    @pytest.mark.parametrize("secret", ["pem", "der", "n"])
    def test_hmac_with_the_public_key_as_its_secret(self, own, refused, secret):
        import hmac

        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = own.key.private.public_key()
        material = {
            "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "n": own.key.jwk()["n"].encode(),
        }[secret]
        head = f"{b64(json.dumps({'alg': 'HS256', 'kid': 'rsa'}).encode())}.{b64(json.dumps(own.claims).encode())}"
        assert refused("own", f"{head}.{b64(hmac.digest(material, head.encode(), 'sha256'))}") == NO_KEY

    def test_of_an_algorithm_for_another_type_of_key(self, own, refused):
        header = {"alg": "ES256", "kid": "rsa"}
        assert refused("own", own.key.token(own.claims, algorithm="RS256", header=header)) == NO_KEY
        assert refused("own", own.elliptic.token(own.claims, header={"alg": "RS256", "kid": "ec"})) == NO_KEY

    def test_of_another_curve(self, own, refused):
        assert refused("own", Key("ES384", "ec").token(own.claims)) == NO_KEY
        assert refused("own", own.elliptic.token(own.claims, header={"alg": "ES384", "kid": "ec"})) == NO_KEY

    @pytest.mark.parametrize("signature", [b"\0" * 64, b"\xff" * 64, b"", b"\0"])
    def test_elliptic_signatures_of_zero(self, own, refused, signature):
        assert refused("own", unsigned({"alg": "ES256", "kid": "ec"}, own.claims, signature)) == NO_KEY

    @pytest.mark.parametrize("kid", [..., "", "RSA", "other", "../../etc/passwd", "rsa' OR '1'='1"])
    def test_with_a_key_id_that_is_missing_or_foreign(self, own, refused, kid):
        header = {"alg": "RS256"} if kid is ... else {"alg": "RS256", "kid": kid}
        assert refused("own", own.key.token(own.claims, header=header)) == NO_KEY

    def test_with_a_key_id_that_occurs_twice_the_last_counts(self, own, assume, refused):
        twice = b'{"alg": "RS256", "kid": "%s", "kid": "%s"}'
        assert assume("own", own.key.token(own.claims, header=twice % (b"other", b"rsa")))
        assert refused("own", own.key.token(own.claims, header=twice % (b"rsa", b"other"))) == NO_KEY

    @pytest.mark.parametrize("operations", [["verify"], ["sign"], []])
    def test_of_a_key_with_key_ops(self, own, refused, operations):
        """Recorded on AWS, 2026-09."""
        own.serve([own.key.jwk(key_ops=operations)])
        assert refused("own", own.key.token(own.claims)) == NOT_VALIDATED

    def test_of_the_earlier_of_two_keys_with_one_id(self, own, refused):
        """Recorded on AWS, 2026-09: a later duplicate with another key."""
        own.serve([own.key.jwk(), Key("RS256", "rsa").jwk()])
        assert refused("own", own.key.token(own.claims)) == NOT_VALIDATED

    def test_of_a_key_that_stands_there_twice(self, own, assume):
        own.serve([own.key.jwk(), own.key.jwk()])
        assert assume("own", own.key.token(own.claims))

    def test_that_brings_its_own_key(self, own, refused):
        with issuer_on_socket() as evil:
            forger = Key("RS256", "forged")
            evil.serve([forger.jwk()])
            header = {
                "alg": "RS256",
                "kid": "forged",
                "jku": f"{evil.url}/keys",
                "x5u": f"{evil.url}/keys",
                "jwk": forger.jwk(),
                "x5c": [base64.b64encode(b"certificate").decode()],
            }
            assert refused("own", forger.token(own.claims, header=header)) == NO_KEY
            assert (
                refused("own", forger.token({**own.claims, "iss": evil.url}, header=header))[0]
                == "InvalidIdentityToken"
            )
            assert evil.asked == []

    @pytest.mark.parametrize(
        "header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"kid": 5}, {"alg": 5}]
    )
    def test_with_a_header_that_must_be_understood(self, own, refused, header):
        assert refused("own", own.key.token(own.claims, header={"alg": "RS256", "kid": "rsa", **header})) == NOT_A_TOKEN

    @pytest.mark.parametrize(
        "claims",
        [
            b'{"iss": NaN}',
            b'{"exp": Infinity}',
            b'{"exp": 1e999999}',
            b'{"exp": ' + b"9" * 5000 + b"}",
            b'{"a":' * 2400 + b"1" + b"}" * 2400,
            b'{"sub": "\\ud800"}',
            b"\xff\xfe{}",
            b"[]",
            b'"text"',
            b"",
        ],
        ids=lambda claims: str(claims[:20]),
    )
    def test_whose_claims_are_a_trap_for_parsers(self, own, refused, claims):
        answer = refused("own", own.key.token(claims))
        assert answer in (NOT_A_TOKEN, ("InvalidIdentityToken", 400, "Missing a required claim: iss"))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("exp", 10**400),
            ("iat", -(10**19)),
            ("exp", 1e308),
            ("iat", True),
            ("nbf", "1e9"),
            ("exp", {}),
            ("iat", [1]),
        ],
        ids=str,
    )
    def test_whose_times_are(self, own, refused, name, value):
        token = own.key.token({**own.claims, name: value})
        assert refused("own", token) == ("InvalidIdentityToken", 400, "Invalid timestamp in token claims.")

    @pytest.mark.parametrize(
        "text", ["abcd", "ab.cd", "a.b.c", "a.b.c.d.e", "ya29.opaque-access-token", "....", "ä.ö.ü", "a b.c.d"]
    )
    def test_that_are_no_tokens(self, refused, text):
        assert refused("deploy", text) == NOT_A_TOKEN

    def test_whose_issuer_is_nested_deeper_than_an_event_can_be(self, aws, own, refused):
        token = own.key.token(b'{"iss": ' + b"[" * 800 + b"]" * 800 + b"}")
        assert refused("own", token) == ("InvalidIdentityToken", 400, "Issuer must be a valid URL")
        assert aws.events()[-1]["errorCode"] == "InvalidIdentityToken"

    def test_that_are_huge(self, own, sts):
        """Refused by its length alone; the value is sensitive and not repeated."""
        token = own.key.token({**own.claims, "x": "y" * 20_000})
        with pytest.raises(ClientError) as caught:
            sts.assume_role_with_web_identity(RoleArn=role("own"), RoleSessionName="test", WebIdentityToken=token)
        error = caught.value.response["Error"]
        assert error["Code"] == "ValidationError"
        assert (
            "at 'webIdentityToken' failed to satisfy constraint: Member must have length less than or equal to 20000"
            in (error["Message"])
        )
        assert token not in error["Message"]

    def test_a_subject_of_null_fails_inside_as_in_aws(self, own, refused):
        assert refused("own", own.key.token({**own.claims, "sub": None})) == (
            "InternalFailure",
            500,
            "Unknown error validating third-party token",
        )

    @pytest.mark.parametrize("subject", ["<b>&'\"</b>", "line\nbreak\ttab", "emoji 😀", "\u0000\u0008", "x" * 3000])
    def test_subjects_come_back_as_xml_can_hold_them(self, own, assume, subject):
        told = assume("own", own.key.token({**own.claims, "sub": subject}))["SubjectFromWebIdentityToken"]
        assert told == "".join(c if c >= " " or c in "\n\t" else "\ufffd" for c in subject)


class TestProviderId:
    """For opaque tokens of Amazon and Facebook, of which the emulator issues none."""

    @pytest.mark.parametrize(
        ("provider", "answer"),
        [
            ("www.amazon.com", ("InvalidIdentityToken", 400, "Provided Token is not a Login With Amazon token")),
            (
                "accounts.google.com",
                (
                    "AccessDenied",
                    403,
                    "Unrecognized OAuth provider. Do not include a provider parameter when submitting OpenIDConnect ID tokens",
                ),
            ),
        ],
    )
    def test_is_refused(self, aws, refused, provider, answer):
        assert refused("anybody-of-corp", corp(aws), ProviderId=provider) == answer

    def test_of_facebook(self, aws, refused):
        """Recorded on AWS, 2026-09, with a JWT."""
        assert refused("anybody-of-corp", corp(aws), ProviderId="graph.facebook.com") == (
            "IDPRejectedClaim",
            403,
            'graph.facebook.com rejected OAuth token with response "Bad signature" and code 190',
        )


class TestRotation:
    def test_old_tokens_hold_until_the_key_is_dropped(self, aws, assume, refused):
        old = corp(aws)
        aws.page("POST", "issuers/corp/rotate")
        assert assume("anybody-of-corp", old)
        assert assume("anybody-of-corp", corp(aws))
        aws.page("POST", "issuers/corp/rotate", body={"keep": False})
        assert refused("anybody-of-corp", old) == NO_KEY
        assert assume("anybody-of-corp", corp(aws))

    def test_an_issuer_on_this_server_is_fetched_by_another_world(self, aws, emulator_server, assume):
        """A lab issuer with a URL of its own serves any third party; here that is this very server."""
        with emulator_server.world(world_scenario()) as elsewhere:
            made = elsewhere.page("PUT", "issuers/ci", body={"preset": "plain", "url": "local"})
            assert made["url"] == f"{elsewhere.endpoint_url}/issuers/ci"
            iam = aws.client("iam")
            arn = iam.create_open_id_connect_provider(Url=made["url"], ClientIDList=["sts.amazonaws.com"])
            trust = {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Federated": arn["OpenIDConnectProviderArn"]},
                        "Action": "sts:AssumeRoleWithWebIdentity",
                        "Condition": {"StringEquals": {f"{made['url'].partition('://')[2]}:sub": "lab-user"}},
                    }
                ],
            }
            iam.create_role(RoleName="ci", AssumeRolePolicyDocument=json.dumps(trust))
            assert assume("ci", elsewhere.token("ci"))["Provider"] == arn["OpenIDConnectProviderArn"]
            assert "fetched" in aws.events()[-1]["additionalEventData"]["evidence"]["keys"]


class TestWhatIsRecorded:
    def test_the_token_is_not(self, aws, assume):
        token = corp(aws)
        assume("anybody-of-corp", token)
        event = aws.events()[-1]
        assert event["eventName"] == "AssumeRoleWithWebIdentity"
        assert event["userIdentity"]["type"] == "WebIdentityUser"
        assert token not in json.dumps(event)
        evidence = event["additionalEventData"]["evidence"]
        assert {"issuer": CORP, "subject": "lab-user", "audience": "client-a"}.items() <= evidence.items()

    def test_the_reason_is_even_where_aws_s_sentence_hides_it(self, aws, refused):
        head, body, _ = corp(aws).split(".")
        assert refused("anybody-of-corp", f"{head}.{body}.AAAA") == NO_KEY
        event = aws.events()[-1]
        assert event["errorCode"] == "InvalidIdentityToken"
        assert event["additionalEventData"]["evidence"]["refused"].startswith("the signature is not the key's")


class TestTheCommandLine:
    """AWS CLI v1, unmodified."""

    def test_lets_a_job_in(self, aws):
        token = aws.token("github", repo="acme/shop")
        arguments = ("--role-arn", role("deploy"), "--role-session-name", "cli", "--web-identity-token", token)
        answer = aws_cli(aws, "sts", "assume-role-with-web-identity", *arguments)
        assert json.loads(answer.stdout)["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{DEV}:assumed-role/deploy/cli"

    def test_shows_aws_s_error(self, aws):
        token = aws.token("github", repo="mallory/shop")
        arguments = ("--role-arn", role("deploy"), "--role-session-name", "cli", "--web-identity-token", token)
        answer = aws_cli(aws, "sts", "assume-role-with-web-identity", *arguments)
        assert answer.returncode in (254, 255)
        assert (
            "An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation: "
            "Not authorized to perform sts:AssumeRoleWithWebIdentity" in answer.stderr
        )


class TestGitHubRunner:
    """The contract between a runner and @actions/core: two variables, one GET."""

    def job(self, aws, **claims: object) -> dict:
        return aws.page("POST", "issuers/github/job", body=claims)

    def ask(self, job: dict, audience: str | None = None, token: str | None = None) -> str:
        url = job["ACTIONS_ID_TOKEN_REQUEST_URL"] + (f"&audience={audience}" if audience else "")
        bearer = job["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] if token is None else token
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {bearer}"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["value"]

    def test_a_job_asks_for_a_token_and_becomes_the_role(self, aws, assume):
        token = self.ask(self.job(aws, repo="acme/shop", branch="main"), "sts.amazonaws.com")
        assert assume("deploy", token)["SubjectFromWebIdentityToken"] == "repo:acme/shop:ref:refs/heads/main"

    def test_the_audience_is_the_owner_unless_asked_for(self, aws):
        body = self.ask(self.job(aws, repo="acme/shop")).split(".")[1]
        assert json.loads(base64.urlsafe_b64decode(body + "=="))["aud"] == "https://github.com/acme"

    def test_a_job_of_another_branch_gets_a_token_of_that_branch(self, aws, refused):
        token = self.ask(self.job(aws, repo="acme/shop", branch="feature"), "sts.amazonaws.com")
        assert refused("deploy", token) == DENIED

    @pytest.mark.parametrize("secret", ["", "x", "AAAA", "é"])
    def test_without_the_job_s_secret_there_is_none(self, aws, secret):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            self.ask(self.job(aws, repo="acme/shop"), token=secret.encode().decode("latin-1"))

    def test_nor_with_that_of_another_issuer_world_or_day(self, aws, emulator_server):
        job = self.job(aws, repo="acme/shop")
        other = aws.page("POST", "issuers/corp/job", body={})["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            self.ask(job, token=other)
        with emulator_server.world(world_scenario()) as elsewhere:
            foreign = self.job(elsewhere, repo="acme/shop")["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            self.ask(job, token=foreign)
        assert self.ask(job)
        aws.advance(hours=7)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            self.ask(job)


def aws_cli(aws, *arguments: str, **environment: object) -> subprocess.CompletedProcess:
    """Run the AWS CLI without any credentials but what the environment says."""
    clean = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    variables = {name: str(value) for name, value in environment.items()}
    command = [sys.executable, "-m", "awscli", *arguments]
    full = {**clean, "AWS_ENDPOINT_URL": aws.endpoint_url, **variables}
    return subprocess.run(command, env=full, capture_output=True, text=True, timeout=60, check=False)


def world_scenario() -> str:
    from pathlib import Path

    return (Path(__file__).parent / "web_identity.yaml").read_text()
