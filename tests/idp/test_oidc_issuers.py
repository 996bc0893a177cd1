"""Lab issuers as a library: what they keep in the world, and that their tokens look like the real ones."""

import jwt
import pytest

from sts_emulator.core.backends import open_store
from sts_emulator.core.world import Worlds
from sts_emulator.idp import oidc
from sts_emulator.idp.keys import make_key
from sts_emulator.idp.presets import PRESETS


@pytest.fixture
def world():
    return Worlds(open_store("")).create("lab")


def published(world, name: str) -> jwt.PyJWKSet:
    return jwt.PyJWKSet.from_dict(world.get("issuer", name)["jwks"])


def minted(world, issuer: str, /, **claims: object) -> dict:
    """Mint a token, verify it as anybody would with the issuer's published keys, and return its claims."""
    token = oidc.mint_token(world, issuer, **claims)
    key = published(world, issuer)[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, options={"verify_aud": False})


class TestEveryPreset:
    @pytest.mark.parametrize("name", PRESETS)
    def test_makes_tokens_that_anybody_can_verify(self, world, name):
        claims = minted(world, name)
        assert {"iss", "sub", "aud", "iat", "exp", "jti"} <= set(claims)
        assert claims["iss"] == PRESETS[name].url == world.get("issuer", name)["url"]
        assert claims["exp"] - claims["iat"] == PRESETS[name].lifetime

    @pytest.mark.parametrize("name", PRESETS)
    def test_takes_any_claim_as_it_stands(self, world, name):
        claims = minted(world, name, sub="x", aud=["a", "b"], azp="a", nonce={"deep": [1]}, jti=None, expires_in=7)
        assert (claims["sub"], claims["aud"], claims["azp"], claims["nonce"]) == ("x", ["a", "b"], "a", {"deep": [1]})
        assert "jti" not in claims
        assert claims["exp"] - claims["iat"] == 7

    @pytest.mark.parametrize("name", PRESETS)
    def test_options_may_be_text_as_a_command_line_gives_them(self, world, name):
        assert minted(world, name, **dict.fromkeys(PRESETS[name].options, "7"))["sub"]


class TestGitHub:
    """The subjects of GitHub's documentation (docs/aws/oidc-issuers.md, "GitHub Actions")."""

    @pytest.mark.parametrize(
        ("options", "subject"),
        [
            ({}, "repo:octo-org/octo-repo:ref:refs/heads/main"),
            ({"repo": "acme/shop", "branch": "demo"}, "repo:acme/shop:ref:refs/heads/demo"),
            ({"tag": "v1"}, "repo:octo-org/octo-repo:ref:refs/tags/v1"),
            ({"pull_request": 42}, "repo:octo-org/octo-repo:pull_request"),
            ({"environment": "Production"}, "repo:octo-org/octo-repo:environment:Production"),
            ({"environment": "a:b"}, "repo:octo-org/octo-repo:environment:a%3Ab"),
            ({"environment": "Production", "pull_request": 42}, "repo:octo-org/octo-repo:environment:Production"),
            ({"ref": "refs/heads/x"}, "repo:octo-org/octo-repo:ref:refs/heads/x"),
            (
                {"repo": "acme/shop", "immutable": True, "owner_id": 123, "repo_id": 456},
                "repo:acme@123/shop@456:ref:refs/heads/main",
            ),
        ],
    )
    def test_subjects(self, world, options, subject):
        assert minted(world, "github", **options)["sub"] == subject

    def test_a_pull_request(self, world):
        claims = minted(world, "github", pull_request=42, branch="feature")
        assert (claims["ref"], claims["event_name"]) == ("refs/pull/42/merge", "pull_request")
        assert (claims["head_ref"], claims["base_ref"]) == ("feature", "main")

    def test_ids_belong_to_names(self, world):
        first, again, other = (minted(world, "github", repo=repo) for repo in ("acme/shop", "acme/shop", "acme/web"))
        assert first["repository_id"] == again["repository_id"] != other["repository_id"]
        assert first["repository_owner_id"] == other["repository_owner_id"]

    def test_every_claim_of_the_documentation_is_there(self, world):
        documented = {
            *("actor", "actor_id", "base_ref", "check_run_id", "environment", "event_name", "head_ref"),
            *("job_workflow_ref", "job_workflow_sha", "ref", "ref_type", "repository", "repository_id"),
            *("repository_owner", "repository_owner_id", "repository_visibility", "run_id", "run_number"),
            *("run_attempt", "runner_environment", "workflow", "workflow_ref", "workflow_sha", "nbf"),
        }
        assert documented <= set(minted(world, "github", environment="Production"))


@pytest.mark.parametrize(
    ("preset", "options", "expected"),
    [
        (
            "gitlab",
            {"project": "group/app", "branch": "dev"},
            {"sub": "project_path:group/app:ref_type:branch:ref:dev", "ref_protected": "false"},
        ),
        (
            "gitlab",
            {"project": "group/app", "tag": "v1"},
            {"sub": "project_path:group/app:ref_type:tag:ref:v1", "ref_path": "refs/tags/v1"},
        ),
        (
            "kubernetes",
            {"namespace": "shop", "service_account": "api"},
            {"sub": "system:serviceaccount:shop:api", "aud": ["sts.amazonaws.com"]},
        ),
        (
            "terraform-cloud",
            {"organization": "acme", "project": "web", "workspace": "prod", "run_phase": "apply"},
            {
                "sub": "organization:acme:project:web:workspace:prod:run_phase:apply",
                "aud": "aws.workload.identity",
                "terraform_full_workspace": "organization:acme:project:web:workspace:prod",
            },
        ),
        (
            "circleci",
            {"project": "p-1", "user": "u-1"},
            {
                "sub": "org/8d5f3b6c-1f0e-4d56-9a4e-2b1c7e9f0a11/project/p-1/user/u-1",
                "aud": "8d5f3b6c-1f0e-4d56-9a4e-2b1c7e9f0a11",
                "oidc.circleci.com/project-id": "p-1",
            },
        ),
        ("bitbucket", {"repository": "r", "step": "s"}, {"sub": "{r}:{s}", "repositoryUuid": "{r}"}),
        ("bitbucket", {"repository": "r", "step": "s", "environment": "e"}, {"sub": "{r}:{e}:{s}"}),
        (
            "buildkite",
            {"organization": "acme", "pipeline": "shop"},
            {"organization_slug": "acme", "pipeline_slug": "shop"},
        ),
        ("entra", {"object_id": "o-1"}, {"sub": "o-1", "oid": "o-1", "tid": "7c1f3a90-5f0b-4a0e-8f57-1d2c3b4a5e6f"}),
        ("google", {"organization_number": "123"}, {"google": {"organization_number": 123}, "email_verified": True}),
        ("plain", {}, {"sub": "lab-user", "aud": "sts.amazonaws.com"}),
    ],
)
def test_the_other_issuers(world, preset, options, expected):
    claims = minted(world, preset, **options)
    assert {name: claims.get(name) for name in expected} == expected


def test_a_google_service_account_is_its_own_authorized_party(world):
    claims = minted(world, "google")
    assert claims["azp"] == claims["sub"]
    assert len(claims["sub"]) == 21


class TestIssuers:
    def test_time_is_the_world_s(self, world):
        before = minted(world, "plain")["iat"]
        world.advance(3600)
        token = oidc.mint_token(world, "plain")
        assert 3600 <= jwt.decode(token, options={"verify_signature": False})["iat"] - before < 3660

    def test_one_is_made_once(self, world):
        first = oidc.ensure_issuer(world, "github")
        assert oidc.ensure_issuer(world, "github") == first
        assert len(world.page("issuer")) == 1

    def test_by_another_name_at_another_url(self, world):
        made = oidc.ensure_issuer(world, "gitlab", url="https://gitlab.acme.example", name="our-gitlab")
        assert made["url"] == "https://gitlab.acme.example"
        assert minted(world, "our-gitlab")["iss"] == "https://gitlab.acme.example"

    def test_the_private_key_stays_out_of_what_is_published(self, world):
        minted(world, "github")
        for key in world.get("issuer", "github")["jwks"]["keys"]:
            assert set(key) == {"kid", "use", "alg", "kty", "n", "e"}

    @pytest.mark.parametrize("algorithm", ["RS384", "ES256", "ES512"])
    def test_other_algorithms(self, world, algorithm):
        oidc.ensure_issuer(world, "plain", algorithm=algorithm)
        assert jwt.get_unverified_header(oidc.mint_token(world, "plain"))["alg"] == algorithm
        assert minted(world, "plain")["sub"] == "lab-user"

    def test_rotation_keeps_the_last_key_for_tokens_that_are_about(self, world):
        old = oidc.mint_token(world, "github")
        kid = jwt.get_unverified_header(old)["kid"]
        oidc.publish_next(world, "github", make_key("RS256"), keep=True)
        assert jwt.get_unverified_header(oidc.mint_token(world, "github"))["kid"] != kid
        assert jwt.decode(old, published(world, "github")[kid], options={"verify_aud": False})
        oidc.publish_next(world, "github", make_key("RS256"), keep=True)
        assert kid not in {key.key_id for key in published(world, "github").keys}

    def test_rotation_may_drop_it_at_once(self, world):
        old = jwt.get_unverified_header(oidc.mint_token(world, "github"))["kid"]
        issuer = oidc.publish_next(world, "github", make_key("RS256"), keep=False)
        assert old not in {key["kid"] for key in issuer["jwks"]["keys"]}

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"preset": "gitea"}, "no issuer preset `gitea`; there are github, gitlab,"),
            ({"preset": "plain", "url": "ftp://x"}, "`ftp://x` is not an issuer's URL"),
            ({"preset": "plain", "url": "https://x?y"}, "is not an issuer's URL"),
            ({"preset": "plain", "name": "No Name"}, "issuer names are lower-case letters"),
            ({"preset": "plain", "algorithm": "HS256"}, "no algorithm `HS256`"),
            ({"preset": "github", "url": "https://ghe.example.com"}, "issuer `github` exists already"),
            ({"preset": "github", "name": "second"}, "issuer `github` has the URL"),
        ],
    )
    def test_mistakes_are_said(self, world, given, message):
        oidc.ensure_issuer(world, "github")
        with pytest.raises(ValueError, match=message):
            oidc.ensure_issuer(world, **given)

    def test_a_token_of_nobody(self, world):
        with pytest.raises(ValueError, match="no issuer `nobody`"):
            oidc.mint_token(world, "nobody")

    def test_an_option_that_cannot_be_used(self, world):
        with pytest.raises(ValueError, match="an option cannot be used"):
            oidc.mint_token(world, "plain", expires_in="soon")
