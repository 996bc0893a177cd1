"""What the verifier believes: the same as PyJWT for every token, honest or mangled, and nothing without a proof."""

import base64
import json

import jwt as pyjwt
import pytest
from example_counts import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_identity_forge import Key, b64, self_signed, unsigned

from sts_emulator.methods.tokens import jwt
from sts_emulator.methods.tokens.jwk import ALGORITHMS, KeySet

CLAIMS = {"iss": "https://issuer.example.com", "sub": "someone", "aud": "sts.amazonaws.com", "iat": 1, "exp": 2}


@pytest.fixture(scope="module")
def keys() -> dict[str, Key]:
    rsa_key = Key("RS256", "rsa")
    return {"rsa": rsa_key} | {name: Key(name, name) for name in ("ES256", "ES384", "ES512")}


def key_for(keys: dict[str, Key], algorithm: str) -> Key:
    return keys.get(algorithm) or keys["rsa"]


def jwks(keys: dict[str, Key]) -> dict:
    return {"keys": [key.jwk() for key in keys.values()]}


def ours(token: str, jwks: dict):
    """Our verdict: the claims, or None."""
    try:
        parsed = jwt.parse(token)
        verify = KeySet(jwks).verifier(parsed.key_id, parsed.algorithm)
        return None if verify is None else parsed.claims(verify)
    except (jwt.NotAToken, jwt.BadSignature):
        return None


NO_CHECKS = dict.fromkeys(("exp", "nbf", "iat", "aud", "iss", "sub", "jti"), False)


def theirs(token: str, jwks: dict):
    """PyJWT's verdict on the same question: the claims, or None."""
    try:
        key_id = pyjwt.get_unverified_header(token).get("kid")
        keys = [key for key in pyjwt.PyJWKSet.from_dict(jwks).keys if key.key_id == key_id]
        if not keys:
            return None
        options = {f"verify_{name}": wanted for name, wanted in NO_CHECKS.items()}
        return pyjwt.decode(token, keys[-1].key, algorithms=sorted(ALGORITHMS), options=options)
    except (pyjwt.PyJWTError, TypeError, ValueError, RecursionError):
        return None


UNHURRIED = settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure


class TestAgreesWithPyJwt:
    """PyJWT is the oracle: another's code, another's base64, another's JSON reading."""

    @pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
    def test_every_accepted_algorithm_proves_the_claims(self, keys, algorithm):
        token = key_for(keys, algorithm).token(CLAIMS, algorithm=algorithm)
        assert ours(token, jwks(keys)) == theirs(token, jwks(keys)) == CLAIMS

    @settings(UNHURRIED, max_examples=examples(1500))
    @given(data=st.data())
    def test_of_a_mangled_token(self, keys, data):
        algorithm = data.draw(st.sampled_from(["RS256", "PS384", "ES256", "ES512"]))
        token = key_for(keys, algorithm).token(CLAIMS, algorithm=algorithm)
        for _ in range(data.draw(st.integers(1, 3))):
            token = mangle(token, data)
        # RFC 7515 §2 wants base64url without padding; PyJWT forgives it.
        assert ours(token, jwks(keys)) == (None if "=" in token else theirs(token, jwks(keys)))

    @settings(UNHURRIED, max_examples=examples(1000))
    @given(data=st.data())
    def test_of_a_header_that_its_maker_chose(self, keys, data):
        header = data.draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "alg": st.sampled_from([*sorted(ALGORITHMS), "none", "HS256", "EdDSA", "rs256", "", 5, None]),
                    "kid": st.sampled_from(["rsa", "ES256", "ES384", "ES512", "other", "", 1, None]),
                    "typ": st.sampled_from(["JWT", "at+jwt", "", None]),
                    "crit": st.sampled_from([[], ["exp"], ["b64"]]),
                    "b64": st.sampled_from([False]),
                    "jku": st.just("https://evil.example.com/keys"),
                    "jwk": st.just({"kty": "oct", "k": "AAAA"}),
                },
            )
        )
        key = key_for(keys, data.draw(st.sampled_from(["RS256", "ES256"])))
        signing = data.draw(st.sampled_from(["RS256", "PS256"] if key.kid == "rsa" else ["ES256"]))
        token = key.token(CLAIMS, algorithm=signing, header=header)
        if header.get("crit") == [] or ("kid" in header and header["kid"] is None):
            return  # PyJWT lets an empty list pass and refuses a null id; the RFCs leave neither open, tested below
        assert ours(token, jwks(keys)) == theirs(token, jwks(keys))

    @settings(UNHURRIED, max_examples=examples(500))
    @given(
        claims=st.dictionaries(
            st.text(),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
                max_leaves=8,
            ),
            max_size=6,
        )
    )
    def test_of_claims_that_their_maker_chose(self, keys, claims):
        token = keys["ES256"].token(claims)
        assert ours(token, jwks(keys)) == claims
        assert theirs(token, jwks(keys)) == claims

    @settings(UNHURRIED, max_examples=examples(500))
    @given(text=st.text(max_size=200) | st.text(alphabet="abcXYZ019-_.=+/ ", max_size=200))
    def test_of_text_that_is_no_token(self, keys, text):
        assert ours(text, jwks(keys)) is None
        assert theirs(text, jwks(keys)) is None


def mangle(token: str, data: st.DataObject) -> str:
    place = data.draw(st.integers(0, len(token)))
    character = data.draw(st.sampled_from(list("AQgw_-+/=. \n\u00e9")))
    return data.draw(
        st.sampled_from(
            [
                token[:place] + character + token[place + 1 :],
                token[:place] + character + token[place:],
                token[:place] + token[place + 1 :],
                token[:place],
                ".".join(token.split(".")[::-1]),
                f"{token}.{token.rpartition('.')[2]}",
            ]
        )
    )


class TestRefusesWhatIsNoToken:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "...",
            "a.b",
            "a.b.c",
            f"{b64(b'{}')}.{b64(b'{}')}.",
            f"{b64(b'[]')}.{b64(b'{}')}.{b64(b'x')}",
            f"{b64(b'{}')}.{b64(b'{}')}.x.y",
            " " + unsigned({"alg": "none"}, {}),
            unsigned({"alg": "none"}, {}) + "\n",
            "a.b.c.d.e",
        ],
    )
    def test_by_its_shape(self, text):
        with pytest.raises(jwt.NotAToken):
            jwt.parse(text)

    @pytest.mark.parametrize(
        "claims",
        [
            b'{"exp": NaN}',
            b'{"exp": Infinity}',
            b'{"exp": -Infinity}',
            b'{"exp": 1' + b"0" * 5000 + b"}",
            b'{"sub": "\\ud800"}',
            b'{"\\udfff": 1}',
            b'{"sub": "\xff"}',
            '{"sub": "x"}'.encode("utf-16"),
            b"\xef\xbb\xbf{}",
            b'{"a":' * 2000 + b"1" + b"}" * 2000,
            b"[" * 9000,
            b'{"sub": "x"} {}',
            b"null",
            b"",
        ],
        ids=lambda claims: str(claims[:24]),
    )
    def test_by_its_json(self, keys, claims):
        with pytest.raises(jwt.NotAToken):
            jwt.parse(keys["ES256"].token(claims))

    @pytest.mark.parametrize("header", [{"alg": "ES256", "crit": []}, {"alg": "ES256", "b64": True}, {"alg": None}, {}])
    def test_by_its_header(self, keys, header):
        with pytest.raises(jwt.NotAToken):
            jwt.parse(keys["ES256"].token(CLAIMS, header=header))

    def test_by_its_length(self, keys):
        longest = keys["ES256"].token({**CLAIMS, "x": "y" * 14_000})
        assert len(longest) < jwt.MAX_LENGTH
        assert jwt.parse(longest).algorithm == "ES256"
        with pytest.raises(jwt.NotAToken):
            jwt.parse(keys["ES256"].token({**CLAIMS, "x": "y" * 15_000}))

    def test_of_members_that_occur_twice_the_last_counts(self, keys):
        token = keys["ES256"].token(b'{"iss": "https://first.example.com", "iss": "https://last.example.com"}')
        assert jwt.parse(token).hint("iss") == "https://last.example.com"
        assert ours(token, jwks(keys)) == {"iss": "https://last.example.com"}


class TestSignatures:
    def test_no_claims_without_a_proof(self, keys):
        token = jwt.parse(keys["ES256"].token(CLAIMS))
        other = KeySet({"keys": [Key("ES256", "ES256").jwk()]}).verifier("ES256", "ES256")
        with pytest.raises(jwt.BadSignature):
            token.claims(other)

    @pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 63, b"\xff" * 64, b"\0" * 32 + b"\1" * 32])
    def test_ecdsa_of_zero_or_out_of_range_proves_nothing(self, keys, signature):
        """The attack on Java's ECDSA of 2022: r = s = 0 verified against anything."""
        assert ours(unsigned({"alg": "ES256", "kid": "ES256"}, CLAIMS, signature), jwks(keys)) is None

    def test_ecdsa_with_a_zero_slipped_in_is_another_signature(self, keys):
        """The same two numbers, written longer: one token, one spelling."""
        head, body, signature = keys["ES256"].token(CLAIMS).split(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        assert ours(f"{head}.{body}.{b64(raw[:32] + bytes(1) + raw[32:])}", jwks(keys)) is None
        assert ours(f"{head}.{body}.{b64(raw)}", jwks(keys)) == CLAIMS

    def test_ecdsa_in_der_is_no_jws_signature(self, keys):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        head = f"{b64(json.dumps({'alg': 'ES256', 'kid': 'ES256'}).encode())}.{b64(json.dumps(CLAIMS).encode())}"
        der = keys["ES256"].private.sign(head.encode(), ec.ECDSA(hashes.SHA256()))
        assert ours(f"{head}.{b64(der)}", jwks(keys)) is None

    def test_an_algorithm_only_meets_keys_of_its_own_kind(self, keys):
        key_set = KeySet(jwks(keys))
        fits = {(kid, algorithm) for kid in keys for algorithm in ALGORITHMS if key_set.verifier(kid, algorithm)}
        rsa_algorithms = {name for name in ALGORITHMS if name[:2] in ("RS", "PS")}
        assert fits == {("rsa", name) for name in rsa_algorithms} | {
            (name, name) for name in ("ES256", "ES384", "ES512")
        }

    @pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "HS512", "EdDSA", "ES256K", "RSA1_5", "rs256", ""])
    def test_no_key_fits_any_other_algorithm(self, keys, algorithm):
        key_set = KeySet(jwks(keys))
        assert all(key_set.verifier(kid, algorithm) is None for kid in (*keys, None))


class TestKeySets:
    """How AWS reads a JWKS (docs/aws/web-identity.md, "Rules for tokens")."""

    def test_a_key_without_id_is_no_key(self, keys):
        jwk = {name: value for name, value in keys["ES256"].jwk().items() if name != "kid"}
        assert not KeySet({"keys": [jwk]}).has(None)

    def test_a_token_without_key_id_needs_a_set_of_one(self, keys):
        lone, all_of_them = KeySet({"keys": [keys["ES256"].jwk()]}), KeySet(jwks(keys))
        assert lone.verifier(None, "ES256") is not None
        assert all_of_them.verifier(None, "ES256") is None

    def test_keys_that_cannot_be_used_do_not_count_as_the_one(self, keys):
        pair = KeySet({"keys": [keys["ES256"].jwk(), keys["ES384"].jwk(use="enc")]})
        assert pair.verifier(None, "ES256") is not None

    def test_a_later_key_of_the_same_id_replaces_the_earlier(self, keys):
        first, second = keys["ES256"].jwk(kid="same"), Key("ES256").jwk(kid="same")
        verify = KeySet({"keys": [second, first]}).verifier("same", "ES256")
        token = jwt.parse(keys["ES256"].token(CLAIMS))
        assert token.claims(verify) == CLAIMS
        with pytest.raises(jwt.BadSignature):
            token.claims(KeySet({"keys": [first, second]}).verifier("same", "ES256"))

    def test_the_key_s_own_alg_is_not_looked_at(self, keys):
        assert KeySet({"keys": [keys["rsa"].jwk(alg="RS512")]}).verifier("rsa", "RS256") is not None

    @pytest.mark.parametrize(
        "more", [{"use": "enc"}, {"use": None}, {"key_ops": ["verify"]}, {"x5c": ["AAAA"]}, {"x5c": []}]
    )
    def test_keys_that_aws_does_not_use(self, keys, more):
        assert KeySet({"keys": [keys["rsa"].jwk(**more)]}).verifier("rsa", "RS256") is None

    def test_a_certificate_must_be_of_the_key(self, keys):
        for name, algorithm in (("rsa", "RS256"), ("ES256", "ES256")):
            own, foreign = self_signed(keys[name]), self_signed(Key("ES256"))
            assert KeySet({"keys": [keys[name].jwk(x5c=[own])]}).verifier(name, algorithm) is not None
            assert KeySet({"keys": [keys[name].jwk(x5c=[foreign])]}).verifier(name, algorithm) is None

    def test_more_than_a_hundred_rsa_keys_break_rsa_and_spare_ec(self, keys):
        many = [{**keys["rsa"].jwk(), "kid": f"rsa-{index}"} for index in range(100)]
        hundred = KeySet({"keys": [*many, keys["ES256"].jwk()]})
        assert hundred.verifier("rsa-1", "RS256") is not None
        more = KeySet({"keys": [*many, keys["rsa"].jwk(), keys["ES256"].jwk()]})
        assert more.verifier("rsa-1", "RS256") is None
        assert more.verifier("ES256", "ES256") is not None

    def test_keys_too_small_or_too_large_to_be_checked(self):
        assert KeySet({"keys": [Key("RS256", "small", bits=1024).jwk()]}).verifier("small", "RS256") is None
        huge = {"kid": "huge", "kty": "RSA", "n": b64(b"\xff" * 1040), "e": "AQAB"}
        assert KeySet({"keys": [huge]}).verifier("huge", "RS256") is None
        slow = {**Key("RS256", "slow").jwk(), "e": b64(b"\xff" * 200)}
        assert KeySet({"keys": [slow]}).verifier("slow", "RS256") is None

    @pytest.mark.parametrize(
        "jwks",
        [
            None,
            [],
            "keys",
            {},
            {"keys": None},
            {"keys": "abc"},
            {"keys": [None, 1, "x", [], {}]},
            {"keys": [{"kid": "a"}]},
            {"keys": [{"kid": "a", "kty": "RSA"}]},
            {"keys": [{"kid": "a", "kty": "RSA", "n": 5, "e": "AQAB"}]},
            {"keys": [{"kid": "a", "kty": "RSA", "n": "A", "e": "A"}]},
            {"keys": [{"kid": "a", "kty": "oct", "k": "c2VjcmV0"}]},
            {"keys": [{"kid": "a", "kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}]},
            {"keys": [{"kid": "a", "kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA"}]},
            {"keys": [{"kid": "a", "kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]},
            {"keys": [{"kid": ["a"], "kty": "RSA", "n": "AQAB", "e": "AQAB"}]},
        ],
    )
    def test_rubbish_has_no_keys_and_no_accidents(self, jwks):
        key_set = KeySet(jwks)
        assert all(key_set.verifier(kid, algorithm) is None for kid in ("a", None) for algorithm in ALGORITHMS)
