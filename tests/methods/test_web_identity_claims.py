"""What AWS accepts in a proven token's claims, with the sentences that it refuses the rest with.

Sources: docs/aws/web-identity.md, "Errors" and "Rules for tokens". The future and not-yet-valid sentences, the shifted
times inside them, the timestamp, audience and tag sentences are as recorded from STS on 2026-09-11.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sts_emulator.core.errors import AwsError
from sts_emulator.methods.tokens import id_token
from sts_emulator.methods.tokens.id_token import ROLES, SOURCE_IDENTITY, TAGS

NOW = 1_800_000_000
CLAIMS = {"iss": "https://issuer.example.com", "sub": "someone", "aud": "client-a", "iat": NOW - 10, "exp": NOW + 60}
ROLE = "arn:aws:iam::111122223333:role/deploy"


def read(**claims):
    """Read the usual claims with these changed; `...` removes one."""
    changed = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not ...}
    return id_token.read(changed, NOW)


def refusal(**claims) -> tuple[str, int | None, str]:
    with pytest.raises(AwsError) as caught:
        read(**claims)
    return caught.value.code, caught.value.status, caught.value.message


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "iat", "exp"])
def test_a_claim_that_must_be_there(name):
    assert refusal(**{name: ...}) == ("InvalidIdentityToken", None, f"Missing a required claim: {name}")


class TestSubject:
    @pytest.mark.parametrize(("given", "kept"), [("a", "a"), ("", ""), (123, "123"), ("s" * 300, "s" * 300)])
    def test_is_text_of_any_length_or_a_number(self, given, kept):
        assert read(sub=given).subject == kept

    def test_of_null_is_an_internal_failure_as_in_aws(self):
        assert refusal(sub=None) == ("InternalFailure", 500, "Unknown error validating third-party token")

    @pytest.mark.parametrize("value", [True, 1.5, [], {}, ["someone"]])
    def test_of_any_other_type_is_refused(self, value):
        assert refusal(sub=value)[0] == "InvalidIdentityToken"


class TestTimes:
    """Five minutes' tolerance, whole seconds, by the world's clock."""

    def test_expired_within_tolerance(self):
        assert read(exp=NOW - 299).subject == "someone"

    def test_expired(self):
        message = f"Token expired: current date/time {NOW - 300} must be before the expiration date/time {NOW - 300}"
        assert refusal(exp=NOW - 300) == ("ExpiredTokenException", None, message)

    def test_issued_in_the_future_within_tolerance(self):
        assert read(iat=NOW + 300).subject == "someone"

    def test_issued_in_the_future(self):
        assert refusal(iat=NOW + 301) == ("InvalidIdentityToken", None, f"Token issued in the future: {NOW + 301}")

    def test_not_yet_valid_within_tolerance(self):
        assert read(nbf=NOW + 300).subject == "someone"

    def test_not_yet_valid(self):
        message = (
            f"Token not yet valid: current date/time {NOW + 300} must be after or equal to "
            f"the not-before date/time {NOW + 301}"
        )
        assert refusal(nbf=NOW + 301) == ("InvalidIdentityToken", None, message)

    @pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
    def test_strings_of_digits_are_times(self, name):
        assert read(**{name: str(NOW)}).subject == "someone"

    @pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
    @pytest.mark.parametrize(
        "value", [NOW + 0.5, 1e300, None, True, "soon", "", "1.5", "1e9", " 1", "٣", [], {}, "9" * 40, 10**40]
    )
    def test_anything_else_is_not(self, name, value):
        assert refusal(**{name: value}) == ("InvalidIdentityToken", None, "Invalid timestamp in token claims.")

    def test_the_token_s_expiry_says_nothing_of_the_session_s(self):
        assert not hasattr(read(exp=NOW + 1), "latest_expiry")


class TestAudience:
    def test_a_list_of_one(self):
        assert read(aud=["client-a"]).audience == "client-a"

    def test_several_need_an_authorized_party(self):
        message = "Token audience contains more than one audience while authorized party is not present"
        assert refusal(aud=["client-a", "other"]) == ("InvalidIdentityToken", None, message)

    def test_the_authorized_party_is_the_audience(self):
        token = read(aud=["other", "client-a"], azp="client-b")
        assert (token.audience, token.original_audiences) == ("client-b", ("other", "client-a"))

    def test_even_beside_a_single_audience(self):
        assert read(aud="client-a", azp="client-b").audience == "client-b"

    def test_none_at_all(self):
        assert refusal(aud=[]) == ("InvalidIdentityToken", None, "Claim is not allowed to be empty: aud")

    @pytest.mark.parametrize(
        "claims", [{"aud": 5}, {"aud": None}, {"aud": [["client-a"]]}, {"azp": None}, {"azp": ["x"]}]
    )
    def test_of_another_type(self, claims):
        assert refusal(**claims) == ("InvalidIdentityToken", None, "Incorrect token audience")


class TestSessionTags:
    def test_nested(self):
        token = read(**{TAGS: {"principal_tags": {"Team": ["red"]}, "transitive_tag_keys": ["Team"]}})
        assert (dict(token.tags), token.transitive) == ({"Team": "red"}, ("Team",))

    def test_flattened(self):
        token = read(**{f"{TAGS}/principal_tags/Team": "red", f"{TAGS}/transitive_tag_keys": ["Team"]})
        assert (dict(token.tags), token.transitive) == ({"Team": "red"}, ("Team",))

    @pytest.mark.parametrize(
        "tags",
        [
            "Team=red",
            {"principal_tags": ["Team"]},
            {"principal_tags": {"Team": "red"}},
            {"principal_tags": {"Team": []}},
            {"principal_tags": {"Team": ["red", "blue"]}},
            {"principal_tags": {"Team": [5]}},
            {"principal_tags": {"": ["red"]}},
            {"principal_tags": {"k" * 129: ["red"]}},
            {"principal_tags": {"Team": ["v" * 257]}},
            {"principal_tags": {"Team": ["<script>"]}},
            {"principal_tags": {"aws:Team": ["red"]}},
            {"principal_tags": {f"k{index}": ["v"] for index in range(51)}},
        ],
    )
    def test_of_a_wrong_form(self, tags):
        message = "principal_tags passed in claim is not in correct format."
        assert refusal(**{TAGS: tags}) == ("InvalidIdentityToken", None, message)

    def test_keys_are_unique_whatever_their_case(self):
        code, _, message = refusal(**{TAGS: {"principal_tags": {"Team": ["red"], "team": ["blue"]}}})
        assert code == "InvalidParameterValue"
        assert message == "Duplicate tag keys found. Please note that Tag keys are case insensitive."

    @pytest.mark.parametrize("keys", ["Team", [5], None, {}])
    def test_transitive_keys_of_a_wrong_form(self, keys):
        tags = {"principal_tags": {"Team": ["red"]}, "transitive_tag_keys": keys}
        assert refusal(**{TAGS: tags})[0] == "InvalidIdentityToken"


class TestSourceIdentity:
    def test_is_taken(self):
        assert read(**{SOURCE_IDENTITY: "alice@example.com"}).source_identity == "alice@example.com"

    @pytest.mark.parametrize("value", ["a", "a" * 65, "al ice", "aws:alice", "AWS:alice", 5, ["alice"], "алиса", ""])
    def test_of_a_wrong_form(self, value):
        assert refusal(**{SOURCE_IDENTITY: value})[0] == "InvalidIdentityToken"


class TestRoles:
    """The list of roles that the issuer lets the token assume, since 2026."""

    def test_absent_or_null(self):
        assert read().roles is None
        assert read(**{ROLES: None}).roles is None

    @pytest.mark.parametrize("value", [[ROLE], ROLE, f"{ROLE}x; {ROLE} ", [f" {ROLE} ", 5, None, "admin"]])
    def test_a_list_or_text_with_semicolons(self, value):
        assert ROLE in read(**{ROLES: value}).roles

    @pytest.mark.parametrize(
        "value",
        [
            [],
            "",
            ";;",
            "admin",
            "*",
            f"{ROLE}*",
            "arn:aws:iam::*:role/x",
            [[ROLE]],
            ROLE.upper(),
            f"{ROLE},{ROLE}",
            [5],
        ],
    )
    def test_without_any_role(self, value):
        """Recorded on AWS, 2026-09: empty, nested, upper-case or comma-separated."""
        message = "The roles claim contains no valid role ARNs"
        assert refusal(**{ROLES: value}) == ("InvalidIdentityToken", None, message)

    @pytest.mark.parametrize("value", [5, 0, 1.5, True, False, {}, {ROLE: 1}])
    def test_of_another_type(self, value):
        """Recorded on AWS, 2026-09: number, boolean, object."""
        message = "The roles claim is not in a supported format"
        assert refusal(**{ROLES: value}) == ("InvalidIdentityToken", None, message)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(
    st.dictionaries(
        st.sampled_from([*CLAIMS, "nbf", "azp", "amr", TAGS, SOURCE_IDENTITY, ROLES, f"{TAGS}/transitive_tag_keys"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("principal_tags"),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
            max_leaves=6,
        ),
    )
)
def test_whatever_the_claims_are_the_answer_is_aws_s(claims):
    try:
        token = id_token.read({**CLAIMS, **claims}, NOW)
    except AwsError as error:
        outcome = error.code
    else:
        outcome = (type(token.subject), type(token.audience))
    accepted = (str, str)
    assert outcome in (
        accepted,
        "InvalidIdentityToken",
        "ExpiredTokenException",
        "InternalFailure",
        "InvalidParameterValue",
    )
