"""TLS under AWS's own host names: a certificate of the lab authority for each name that a client asks for."""

from __future__ import annotations

import os
import ssl
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sts_emulator.core import clock
from sts_emulator.core.hosts import is_aws
from sts_emulator.settings import Settings

if TYPE_CHECKING:
    from sts_emulator.idp.certificates import Pair

NAMES: Final = 256
"""Host names whose contexts are kept: a client of AWS uses a dozen."""

_LONGEST_NAME: Final = 253


def server_context(settings: Settings) -> ssl.SSLContext:
    """What serves TLS: under any of AWS's names for who names one, else under the local names of this machine."""
    from sts_emulator.idp import pki

    certificate, key, _ = pki.server_certificate(Path(settings.certs))
    context = context_of(certificate, key)
    issuer = _authority(Path(settings.certs))
    named = lru_cache(NAMES)(lambda name: _issue(name, issuer))

    def choose(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
        if name and len(name) <= _LONGEST_NAME and is_aws(name):
            connection.context = named(name.lower())

    context.sni_callback = choose
    return context


def authority_pem(settings: Settings) -> str:
    """The lab authority that clients have to trust, in PEM."""
    from sts_emulator.idp import pki

    return pki.server_certificate(Path(settings.certs))[2].read_text("utf-8")


def _authority(folder: Path) -> Pair:
    from sts_emulator.idp import certificates, pki

    texts = ((folder / f"{pki.TLS_AUTHORITY}.{end}").read_text("utf-8") for end in ("pem", "key"))
    return certificates.load_pair(*texts)


def _issue(name: str, issuer: Pair) -> ssl.SSLContext:
    from sts_emulator.idp import certificates
    from sts_emulator.idp.certificates import Wish

    wish = Wish(subject={"O": "sts-emulator", "CN": name[:64]}, dns=[name], extended=("serverAuth",))
    pair = certificates.certify(wish, certificates.make_key("ec-p256"), issuer, clock.real())
    # The standard library loads keys from files only; this one is its owner's and gone at once.
    with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
        file.write(certificates.certificate_pem(pair.certificate) + certificates.key_pem(pair.key))
    try:
        return context_of(Path(file.name))
    finally:
        os.unlink(file.name)  # noqa: PTH108 - a name, not a Path


def context_of(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """What serves TLS with that certificate. The key may stand in the same file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context
