"""The lab PKI on disk: authorities and certificates, declared in `pki.yaml`, made beside it, listed and revoked.

A thing called NAME has NAME.pem and NAME.key; an authority also NAME.crl; a certificate NAME.chain.pem, which holds the
intermediates that aws_signing_helper sends. Keys are made on the spot and never leave the folder. Times here are real
ones: certificates serve every world.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sts_emulator.core import clock
from sts_emulator.idp import certificates, pki_declaration
from sts_emulator.idp.certificates import Pair, Wish, make_key
from sts_emulator.idp.pki_declaration import Declaration, Entry
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from cryptography import x509

FILE: Final = "pki.yaml"
TLS_AUTHORITY: Final = "tls-ca"
TLS_SERVER: Final = "tls-server"
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_RENEW_WITHIN: Final = timedelta(days=7)


class PkiError(ValueError):
    """What was asked cannot be done; the message is for the person who asked."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One certificate of a folder. `status` is valid, not yet valid, expired or revoked; `serial` is hex."""

    name: str
    is_authority: bool
    subject: str
    issuer: str
    serial: str
    begins: float
    ends: float
    status: str


def generate(folder: Path, declaration: Declaration | None = None) -> list[str]:
    """Make what `pki.yaml` declares and the folder lacks; returns the names of what was made.

    What is there stays, unless its issuer was made anew. Authorities without a revocation list get one.

    Raises:
        PkiError: an authority's key is missing.
        DeclarationError: a mistake in the declaration.
    """
    declared = pki_declaration.read(folder / FILE) if declaration is None else declaration
    made = [entry.name for entry in declared if _generate(folder, entry)]
    for entry in declared:
        if entry.is_authority:
            issued = (other for other in declared if other.issuer == entry.name)
            wanted = {other.name for other in issued if other.is_revoked}
            _renew_list(folder, entry.name, [_load(folder, name).certificate.serial_number for name in wanted])
    return made


def show(folder: Path) -> list[Listed]:
    """Every certificate of the folder, authorities first."""
    paths = (path for path in sorted(folder.glob("*.pem")) if "." not in path.stem)
    certificates = [(path.stem, _certificate(path)) for path in paths]
    revoked = {name: _revoked(folder, name) for name, certificate in certificates if _is_authority(certificate)}
    listed = [_listed(name, certificate, certificates, revoked) for name, certificate in certificates]
    return sorted(listed, key=lambda line: (not line.is_authority, line.name))


def revoke(folder: Path, name: str) -> Path:
    """Put a certificate on its issuer's revocation list, issue the list anew and return where it is.

    Raises:
        PkiError: there is no such certificate, or its issuer's key is not in the folder.
    """
    certificate = _load(folder, name).certificate
    for path in sorted(folder.glob("*.key")):
        if (folder / f"{path.stem}.pem").exists():
            issuer = _load(folder, path.stem)
            if path.stem != name and _is_authority(issuer.certificate) and _issued(issuer.certificate, certificate):
                _renew_list(folder, path.stem, [certificate.serial_number])
                return folder / f"{path.stem}.crl"
    raise PkiError(f"the issuer of `{name}` is not in {folder}")


def server_certificate(folder: Path, names: Iterable[str] = ()) -> tuple[Path, Path, Path]:
    """Certificate, key and authority (paths of PEM files) for serving TLS on this machine, made when they are missing.

    The certificate is for localhost, 127.0.0.1, ::1 and `names` (DNS names, `*.` allowed, or addresses); it is made
    anew when it lacks one of them or ends within a week. The authority stays, so that clients need trust it only once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = list(dict.fromkeys((*_LOCAL, *names)))
    paths = (folder / f"{TLS_SERVER}.pem", folder / f"{TLS_SERVER}.key", folder / f"{TLS_AUTHORITY}.pem")
    authority = Wish(
        subject={"O": "sts-emulator", "CN": "sts-emulator TLS authority"},
        ends=timedelta(days=3650),
        is_authority=True,
        path_length=0,
        usages=("key_cert_sign", "crl_sign"),
    )
    if not _serves(folder, TLS_AUTHORITY, ()):
        _write(folder, TLS_AUTHORITY, certificates.certify(authority, make_key("ec-p256"), None, clock.real()))
    issuer = _load(folder, TLS_AUTHORITY)
    if not _serves(folder, TLS_SERVER, wanted) or not _issued(issuer.certificate, _certificate(paths[0])):
        wish = Wish(
            subject={"O": "sts-emulator", "CN": "localhost"},
            dns=[name for name in wanted if not _is_address(name)],
            addresses=[name for name in wanted if _is_address(name)],
            extended=("serverAuth",),
        )
        _write(folder, TLS_SERVER, certificates.certify(wish, make_key("ec-p256"), issuer, clock.real()))
    return paths


# -- making ---------------------------------------------------------------------------------------------------------


def _generate(folder: Path, entry: Entry) -> bool:
    """Make one entry if need be; whether it was."""
    issuer = _load(folder, entry.issuer) if entry.issuer else None
    if (folder / f"{entry.name}.pem").exists() and (folder / f"{entry.name}.key").exists():
        kept = _load(folder, entry.name).certificate
        if issuer is None or _issued(issuer.certificate, kept):
            return False
    _write(folder, entry.name, certificates.certify(entry.wish, make_key(entry.key), issuer, clock.real()))
    if entry.is_authority:
        (folder / f"{entry.name}.crl").unlink(missing_ok=True)
    elif entry.chain:
        chain = "".join((folder / f"{name}.pem").read_text("utf-8") for name in entry.chain)
        (folder / f"{entry.name}.chain.pem").write_text(chain, "utf-8")
    return True


def _renew_list(folder: Path, name: str, more: Sequence[int]) -> None:
    """Issue an authority's list with `more` serial numbers on it, unless it has them and is far from its end."""
    path = folder / f"{name}.crl"
    revoked = _revoked(folder, name)
    if path.exists() and revoked.issuperset(more) and not _is_old(path):
        return
    crl = certificates.revocation_list(_load(folder, name), revoked.union(more), clock.real())
    path.write_text(certificates.certificate_pem(crl), "utf-8")


def _is_old(path: Path) -> bool:
    from cryptography import x509

    ends = x509.load_pem_x509_crl(path.read_bytes()).next_update_utc
    return ends is not None and ends.timestamp() < clock.real() + _RENEW_WITHIN.total_seconds()


def _write(folder: Path, name: str, pair: Pair) -> None:
    key = folder / f"{name}.key"
    key.unlink(missing_ok=True)
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(certificates.key_pem(pair.key))
    (folder / f"{name}.pem").write_text(certificates.certificate_pem(pair.certificate), "utf-8")


# -- reading --------------------------------------------------------------------------------------------------------


def _load(folder: Path, name: str) -> Pair:
    try:
        certificate, key = ((folder / f"{name}.{end}").read_text("utf-8") for end in ("pem", "key"))
    except FileNotFoundError as missing:
        raise PkiError(f"`{missing.filename}` is missing") from None
    return certificates.load_pair(certificate, key)


def _certificate(path: Path) -> x509.Certificate:
    from cryptography import x509

    return x509.load_pem_x509_certificate(path.read_bytes())


def _is_authority(certificate: x509.Certificate) -> bool:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether a certificate is of this issuer's making, told by the key ids that are put into all of them."""
    from cryptography import x509

    try:
        above = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:  # somebody else's certificate
        return certificate.issuer == issuer.subject
    return certificate.issuer == issuer.subject and above == own


def _revoked(folder: Path, name: str) -> set[int]:
    from cryptography import x509

    path = folder / f"{name}.crl"
    if not path.exists():
        return set()
    return {entry.serial_number for entry in x509.load_pem_x509_crl(path.read_bytes())}


def _listed(
    name: str,
    certificate: x509.Certificate,
    known: Sequence[tuple[str, x509.Certificate]],
    revoked: Mapping[str, set[int]],
) -> Listed:
    by = [issuer for issuer, authority in known if issuer in revoked and _issued(authority, certificate)]
    begins, ends = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    now = clock.real()
    status = "valid" if begins <= now <= ends else "expired" if now > ends else "not yet valid"
    if any(certificate.serial_number in revoked[issuer] for issuer in by):
        status = "revoked"
    return Listed(
        name=name,
        is_authority=_is_authority(certificate),
        subject=certificate.subject.rfc4514_string(),
        issuer=by[0] if by else certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        begins=begins,
        ends=ends,
        status=status,
    )


def _serves(folder: Path, name: str, wanted: Sequence[str]) -> bool:
    """Whether a pair is there, lasts a while and is for all the names."""
    from cryptography import x509

    if not all((folder / f"{name}.{end}").exists() for end in ("pem", "key")):
        return False
    certificate = _load(folder, name).certificate
    if certificate.not_valid_after_utc.timestamp() < clock.real() + _RENEW_WITHIN.total_seconds():
        return False
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return not wanted
    have = {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}
    return have.issuperset(wanted)


def _is_address(name: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
