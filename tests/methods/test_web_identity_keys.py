"""Where an issuer's keys come from, and what becomes of an issuer that moves, rotates, lies, dawdles or dies."""

import asyncio
import datetime as dt
import hashlib
import ipaddress
import json
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from web_identity_forge import Key, Lab, issuer_on_socket

from sts_emulator.core.errors import AwsError
from sts_emulator.core.hosts import is_loopback
from sts_emulator.methods.tokens import issuer_fetch
from sts_emulator.methods.tokens.issuer_keys import FRESH, RETRY, STALE
from sts_emulator.methods.tokens.issuers import KeysUnavailableError

NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)
BAD_THUMBPRINT = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"


@pytest.fixture(scope="module")
def key() -> Key:
    return Key("ES256")


@pytest.fixture
def issuer(key):
    with issuer_on_socket() as served:
        served.serve([key.jwk()])
        yield served


@pytest.fixture
def lab(issuer) -> Lab:
    made = Lab()
    made.provide(issuer.url)
    return made


def refusal(lab: Lab, token: str, **more: object) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        lab.assume(token, **more)
    return caught.value.code, caught.value.message


class TestInThisWorld:
    """No network: the keys lie beside the provider."""

    def test_an_issuer_of_the_world(self, key):
        lab = Lab()
        lab.provide("https://issuer.example.com")
        document = {"name": "corp", "url": "https://issuer.example.com", "jwks": {"keys": [key.jwk()]}}
        lab.world.add("issuer", "corp", document, uid="https://issuer.example.com")
        assert lab.assume(key.token(lab.claims("https://issuer.example.com")))["Audience"] == "sts.amazonaws.com"
        assert not lab.fetched
        assert lab.evidence["keys"] == "issuer in this world"

    def test_a_static_key_set_of_the_provider(self, key):
        lab = Lab()
        lab.provide("https://issuer.example.com", jwks={"keys": [key.jwk()]})
        assert lab.assume(key.token(lab.claims("https://issuer.example.com")))["Audience"] == "sts.amazonaws.com"
        assert not lab.fetched

    def test_the_issuer_s_keys_of_one_world_are_none_in_another(self, key):
        here, there = Lab(), Lab()
        for lab, published in ((here, key), (there, Key("ES256"))):
            lab.provide("https://issuer.example.com")
            document = {"name": "corp", "url": "https://issuer.example.com", "jwks": {"keys": [published.jwk()]}}
            lab.world.add("issuer", "corp", document, uid="https://issuer.example.com")
        token = key.token(here.claims("https://issuer.example.com"))
        assert here.assume(token)
        assert refusal(there, token) == ("InvalidIdentityToken", NO_KEY)


class TestFetched:
    def test_keys_come_through_the_discovery_document(self, lab, issuer, key):
        assert lab.assume(key.token(lab.claims(issuer.url)))["SubjectFromWebIdentityToken"] == "someone"
        assert lab.fetched
        assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]

    def test_and_are_kept_for_a_while(self, lab, issuer, key):
        lab.assume(key.token(lab.claims(issuer.url)))
        lab.assume(key.token(lab.claims(issuer.url)))
        assert not lab.fetched
        lab.world.advance(FRESH)
        lab.assume(key.token(lab.claims(issuer.url)))
        assert len(issuer.asked) == 4

    def test_from_a_name_of_this_machine_whichever_of_its_addresses_listens(self, key):
        with issuer_on_socket(host="localhost") as issuer:
            issuer.serve([key.jwk()])
            lab = Lab()
            lab.provide(issuer.url)
            assert lab.assume(key.token(lab.claims(issuer.url)))["Audience"] == "sts.amazonaws.com"

    def test_many_at_once_share_one_fetch(self, lab, issuer, key):
        async def rush() -> list:
            return await asyncio.gather(*(lab.ask(key.token(lab.claims(issuer.url))) for _ in range(20)))

        assert len(asyncio.run(rush())) == 20
        assert len(issuer.asked) == 2

    def test_who_comes_during_the_fetch_waits_for_it(self, lab, issuer, key):
        asked, go = threading.Event(), threading.Event()
        body = issuer.pages["/keys"][1]

        def hesitate(handler) -> None:
            asked.set()
            go.wait(240)
            page(body)(handler)

        issuer.pages["/keys"] = hesitate

        async def come_late() -> list:
            first = asyncio.create_task(lab.ask(key.token(lab.claims(issuer.url))))
            await asyncio.to_thread(asked.wait)
            second = asyncio.create_task(lab.ask(key.token(lab.claims(issuer.url))))
            await asyncio.sleep(0)  # it has asked by now
            go.set()
            return await asyncio.gather(first, second)

        assert len(asyncio.run(come_late())) == 2
        assert len(issuer.asked) == 2

    def test_each_world_fetches_for_itself(self, lab, issuer, key):
        lab.assume(key.token(lab.claims(issuer.url)))
        other = Lab()
        other.provide(issuer.url)
        other.assume(key.token(lab.claims(issuer.url)))
        assert other.fetched
        assert len(issuer.asked) == 4

    def test_a_new_key_is_looked_for_when_a_token_names_it(self, lab, issuer, key):
        lab.assume(key.token(lab.claims(issuer.url)))
        rotated = Key("ES256", "key-2")
        issuer.serve([rotated.jwk()])
        lab.world.advance(RETRY)
        assert lab.assume(rotated.token(lab.claims(issuer.url)))
        assert refusal(lab, key.token(lab.claims(issuer.url))) == ("InvalidIdentityToken", NO_KEY)

    def test_but_not_for_every_key_id_that_a_forger_makes_up(self, lab, issuer):
        for index in range(20):
            forged = Key("ES256", f"forged-{index}").token(lab.claims(issuer.url))
            assert refusal(lab, forged) == ("InvalidIdentityToken", NO_KEY)
        assert len(issuer.asked) == 2

    def test_an_unaccepted_algorithm_asks_nobody(self, lab, issuer):
        key = Key("RS256")
        assert refusal(lab, key.token(lab.claims(issuer.url), header={"alg": "HS256", "kid": "x"}))[1] == NO_KEY
        assert issuer.asked == []

    def test_a_dead_issuer_s_keys_serve_on_and_then_no_more(self, lab, issuer, key):
        lab.assume(key.token(lab.claims(issuer.url)))
        issuer.pages.clear()
        lab.world.advance(FRESH)
        assert lab.assume(key.token(lab.claims(issuer.url)))
        lab.world.advance(STALE)
        assert refusal(lab, key.token(lab.claims(issuer.url))) == ("InvalidIdentityToken", NO_KEY)

    def test_nobody_is_asked_for_an_issuer_without_provider(self, issuer, key):
        lab = Lab()
        code, message = refusal(lab, key.token(lab.claims(issuer.url)))
        assert (code, message) == (
            "InvalidIdentityToken",
            f"No OpenIDConnect provider found in your account for {issuer.url}",
        )
        assert issuer.asked == []

    def test_only_loopback_issuers_unless_the_server_was_told_otherwise(self, key):
        lab = Lab()
        lab.provide("https://issuer.example.com")
        assert refusal(lab, key.token(lab.claims("https://issuer.example.com"))) == ("InvalidIdentityToken", NO_KEY)
        assert not lab.fetched
        assert "EMULATOR_FETCH_ISSUERS=https" in lab.evidence["refused"]

    def test_a_provider_deleted_during_the_fetch_vouches_no_more(self, lab, issuer, key):
        async def delete_meanwhile() -> None:
            asking = asyncio.create_task(lab.ask(key.token(lab.claims(issuer.url))))
            await asyncio.sleep(0)  # it has read the provider and begun to fetch
            lab.world.take("oidc-provider", f"111122223333/{issuer.url.partition('://')[2]}")
            await asking

        with pytest.raises(AwsError, match="No OpenIDConnect provider found"):
            asyncio.run(delete_meanwhile())


def page(body: bytes, status: int = 200, **headers: str):
    def answer(handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def fetched(url: str, thumbprints: tuple[str, ...] = ()):
    return asyncio.run(issuer_fetch.fetch_jwks(url, thumbprints))


class TestAnIssuerThatMisbehaves:
    """Each case is InvalidIdentityToken for the client; here is what our own users are told."""

    @pytest.mark.parametrize(
        "member",
        [
            "issuer",
            "jwks_uri",
            "response_types_supported",
            "subject_types_supported",
            "id_token_signing_alg_values_supported",
        ],
    )
    def test_discovery_without_a_required_member(self, issuer, member):
        issuer.serve([], **{member: None})
        with pytest.raises(KeysUnavailableError, match=f"has no `{member}`"):
            fetched(issuer.url)

    @pytest.mark.parametrize("other", ["https://issuer.example.com", "/", None, 5])
    def test_discovery_of_another_issuer(self, issuer, other):
        issuer.serve([], issuer=f"{issuer.url}/" if other == "/" else other or ["x"])
        with pytest.raises(KeysUnavailableError, match="names another issuer"):
            fetched(issuer.url)

    @pytest.mark.parametrize(
        "uri",
        [
            5,
            "",
            "keys",
            "file:///etc/passwd",
            "ftp://127.0.0.1/keys",
            "https://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1/keys",
            "https://issuer.example.com/keys",
            "http://user@127.0.0.1/keys",
            "http://[::1",
            "http://127.0.0.1:99999/",
        ],
    )
    def test_keys_at_an_address_that_is_not_asked(self, issuer, uri):
        issuer.serve([], jwks_uri=uri)
        with pytest.raises(KeysUnavailableError):
            fetched(issuer.url)

    def test_keys_of_a_local_issuer_elsewhere_are_not_even_looked_up(self, issuer):
        issuer.serve([], jwks_uri="https://issuer.example.com/keys")
        with pytest.raises(KeysUnavailableError, match="not a permitted address"):
            fetched(issuer.url)

    @pytest.mark.parametrize("status", [204, 301, 302, 307, 404, 500])
    def test_redirects_and_errors_are_not_followed(self, issuer, status):
        issuer.pages["/keys"] = page(b"{}", status, location=f"{issuer.url}/elsewhere")
        with pytest.raises(KeysUnavailableError, match=str(status)):
            fetched(issuer.url)
        assert "/elsewhere" not in issuer.asked

    @pytest.mark.parametrize("body", [b"", b"keys", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"keys": NaN'])
    def test_what_is_no_json_object(self, issuer, body):
        issuer.pages["/keys"] = page(body)
        with pytest.raises(KeysUnavailableError, match="not"):
            fetched(issuer.url)

    def test_too_much(self, issuer):
        issuer.pages["/keys"] = page(b" " * (issuer_fetch.SIZE_LIMIT + 1))
        with pytest.raises(KeysUnavailableError, match="larger"):
            fetched(issuer.url)

    def test_a_small_answer_that_would_unpack_to_much(self, issuer):
        import gzip

        issuer.pages["/keys"] = page(gzip.compress(b" " * 10_000_000), content_encoding="gzip")
        with pytest.raises(KeysUnavailableError, match="not JSON"):
            fetched(issuer.url)

    def test_one_that_never_ends(self, issuer):
        done = threading.Event()

        def dawdle(handler) -> None:
            handler.send_response(200)
            handler.end_headers()
            done.wait(240)

        issuer.pages["/keys"] = dawdle
        with pytest.raises(KeysUnavailableError, match="did not answer"):
            asyncio.run(issuer_fetch.fetch_jwks(issuer.url, (), limit=0.3))
        done.set()

    def test_one_that_is_not_there(self):
        with issuer_on_socket() as gone:
            url = gone.url
        with pytest.raises(KeysUnavailableError, match="cannot be reached"):
            fetched(url)

    def test_plain_http_to_another_machine(self):
        with pytest.raises(KeysUnavailableError, match="not https"):
            fetched("http://issuer.example.com")


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "169.254.170.2",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fe80::1%eth0",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "2002:7f00:1::",
            "ff02::1",
        ],
    )
    def test_a_public_issuer_is_never_at_a_private_address(self, address):
        assert not issuer_fetch._is_permitted(address, local=False)

    @pytest.mark.parametrize("address", ["140.82.112.21", "2606:50c0:8000::153"])
    def test_but_at_a_public_one(self, address):
        assert issuer_fetch._is_permitted(address, local=False)
        assert not issuer_fetch._is_permitted(address, local=True)

    @pytest.mark.parametrize("host", ["localhost", "issuer.localhost", "127.0.0.1", "127.9.9.9", "::1"])
    def test_loopback_hosts(self, host):
        assert is_loopback(host)

    @pytest.mark.parametrize(
        "host", ["localhost.example.com", "127.0.0.1.nip.io", "0.0.0.0", "10.0.0.1", "", "2130706433"]
    )
    def test_hosts_that_only_look_like_it(self, host):
        assert not is_loopback(host)

    def test_a_name_that_points_inside_is_not_followed(self):
        """`localhost` stands for any public-looking name that resolves to a private address."""
        with pytest.raises(KeysUnavailableError, match="not permitted"):
            asyncio.run(issuer_fetch._resolve("localhost", 443, local=False))


class Certificates:
    """A root and an intermediate authority, and certificates for servers."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.root = self._issue("root", None, authority=True)
        self.middle = self._issue("middle", self.root, authority=True)

    def _issue(self, name: str, signer, *, authority: bool = False, host: str = "", until: dt.datetime | None = None):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(signer[0].subject if signer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(until or dt.datetime(2049, 1, 1, tzinfo=dt.UTC))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if host:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            names = names if host == "127.0.0.1" else [x509.DNSName(host)]
            built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return built.sign(signer[1] if signer else key, hashes.SHA256()), key

    def server(self, host: str = "127.0.0.1", until: dt.datetime | None = None, shown: tuple = ()) -> ssl.SSLContext:
        """A context for a server with a certificate of the intermediate; `shown` replaces the rest of its chain."""
        leaf, key = self._issue("server", self.middle, host=host, until=until)
        chain = self.folder / f"{host}-{leaf.serial_number}.pem"
        certificates = [leaf, *(shown or (self.middle[0], self.root[0]))]
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain.write_bytes(
            private + b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context


def thumbprint(certificate: x509.Certificate) -> str:
    return hashlib.sha1(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


class TestCertificates:
    """Trusted by the system's authorities, or else pinned by the provider's thumbprints, as AWS does it."""

    @pytest.mark.parametrize("pinned", ["root", "middle"])
    def test_an_unknown_authority_is_trusted_by_its_thumbprint(self, certificates, key, pinned):
        with issuer_on_socket(certificates.server()) as issuer:
            issuer.serve([key.jwk()])
            lab = Lab()
            lab.provide(issuer.url, thumbprints=["0" * 40, thumbprint(getattr(certificates, pinned)[0]).upper()])
            assert lab.assume(key.token(lab.claims(issuer.url)))["Audience"] == "sts.amazonaws.com"

    @pytest.mark.parametrize("thumbprints", [[], ["0" * 40]])
    def test_and_not_without(self, certificates, key, thumbprints):
        with issuer_on_socket(certificates.server()) as issuer:
            issuer.serve([key.jwk()])
            lab = Lab()
            lab.provide(issuer.url, thumbprints=thumbprints)
            assert refusal(lab, key.token(lab.claims(issuer.url))) == ("InvalidIdentityToken", BAD_THUMBPRINT)

    def test_a_pinned_certificate_shown_by_somebody_else_is_of_no_use(self, certificates, tmp_path, key):
        impostor = Certificates(tmp_path)
        context = impostor.server(shown=(impostor.middle[0], certificates.middle[0], certificates.root[0]))
        with issuer_on_socket(context) as issuer:
            issuer.serve([key.jwk()])
            lab = Lab()
            lab.provide(issuer.url, thumbprints=[thumbprint(certificates.root[0])])
            assert refusal(lab, key.token(lab.claims(issuer.url))) == ("InvalidIdentityToken", BAD_THUMBPRINT)

    def test_a_certificate_of_another_host(self, certificates, key):
        with issuer_on_socket(certificates.server("issuer.example.com")) as issuer:
            lab = Lab()
            lab.provide(issuer.url, thumbprints=[thumbprint(certificates.root[0])])
            assert refusal(lab, key.token(lab.claims(issuer.url)))[1] == BAD_THUMBPRINT

    def test_a_certificate_out_of_date(self, certificates, key):
        context = certificates.server(until=dt.datetime(2021, 1, 1, tzinfo=dt.UTC))
        with issuer_on_socket(context) as issuer:
            lab = Lab()
            lab.provide(issuer.url, thumbprints=[thumbprint(certificates.root[0])])
            assert refusal(lab, key.token(lab.claims(issuer.url)))[1] == BAD_THUMBPRINT

    def test_one_of_the_system_s_authorities_needs_no_thumbprint(self, certificates, key, monkeypatch):
        authorities = certificates.folder / "system.pem"
        authorities.write_bytes(certificates.root[0].public_bytes(serialization.Encoding.PEM))
        monkeypatch.setenv("SSL_CERT_FILE", str(authorities))  # what OpenSSL takes for the system's
        issuer_fetch._system_trust.cache_clear()
        try:
            with issuer_on_socket(certificates.server()) as issuer:
                issuer.serve([key.jwk()])
                assert fetched(issuer.url) == json.loads(issuer.pages["/keys"][1])
        finally:
            issuer_fetch._system_trust.cache_clear()
