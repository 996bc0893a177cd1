"""What the server, the printer, a thief and the administrator do, and whether the server alone becomes its role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sts_emulator.accounts import anywhere
from sts_emulator.core import clock
from sts_emulator.labs.hands import Hands
from sts_emulator.labs.seen import Attempt, Seen

if TYPE_CHECKING:
    from sts_emulator.idp.certificates import Pair

PROFILE = "7d3f1c52-8a4e-4b6d-9c0a-5e2b7f813d46"
OLD, NEW, PRINTER = "backup", "backup-new", "printer"


# -- steps -----------------------------------------------------------------------------------------------------------


def authority(hands: Hands) -> None:
    from sts_emulator.idp.certificates import Wish, certify, make_key

    now = clock.parse_iso(hands.now())
    bakery = certify(
        Wish(subject={"O": "Bakery", "CN": "Bakery CA"}, is_authority=True, usages=("key_cert_sign", "crl_sign")),
        make_key("ec-p256"),
        None,
        now,
    )
    hands.keep("authority", bakery)
    for name, common_name in ((OLD, "backup"), (NEW, "backup"), (PRINTER, "printer")):
        wish = Wish(subject={"O": "Bakery", "CN": common_name})
        hands.keep(name, certify(wish, make_key("ec-p256"), bakery, now))


def anchor(hands: Hands) -> None:
    from sts_emulator.idp.certificates import certificate_pem

    text = certificate_pem(hands.kept("authority").certificate)
    made = hands.client("rolesanywhere").create_trust_anchor(
        name="bakery",
        enabled=True,
        source={"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": text}},
    )
    hands.keep("anchor", made["trustAnchor"]["trustAnchorArn"])


def back_up(hands: Hands) -> None:
    _put(hands, OLD, "today.txt")


def printer(hands: Hands) -> None:
    _get(hands, _session(hands, PRINTER))


def repair(hands: Hands) -> None:
    _trust(hands, {"aws:PrincipalTag/x509Subject/CN": "backup"})


def stolen(hands: Hands) -> None:
    from sts_emulator.idp.certificates import revocation_list

    hands.keep("thief", _session(hands, OLD))
    revoked = hands.kept(OLD).certificate.serial_number
    hands.keep("list", revocation_list(hands.kept("authority"), [revoked], clock.parse_iso(hands.now())))


def unheard(hands: Hands) -> None:
    _tried(hands, OLD)


def revoke(hands: Hands) -> None:
    from sts_emulator.idp.certificates import certificate_pem

    hands.client("rolesanywhere").import_crl(
        name="bakery",
        enabled=True,
        trustAnchorArn=hands.kept("anchor"),
        crlData=certificate_pem(hands.kept("list")).encode(),
    )


def heard(hands: Hands) -> None:
    _tried(hands, OLD)


def kept(hands: Hands) -> None:
    with hands.tries():
        _get(hands, hands.kept("thief"))


def end(hands: Hands) -> None:
    hands.advance(1)  # so that the new sessions are younger, in whole seconds
    hands.put_role_policy("Backup", "end-old-sessions", hands.old_sessions_denied())


def go_on(hands: Hands) -> None:
    from sts_emulator.idp.x509_signer import RefusedError

    with suppress(RefusedError):  # a wrong way has locked the server out, which a check tells
        _put(hands, NEW, "tomorrow.txt")
    kept(hands)


def _session(hands: Hands, name: str) -> tuple[str, ...]:
    """The keys that a certificate brings. Raises RefusedError."""
    from sts_emulator.idp.x509_signer import create_session

    pair: Pair = hands.kept(name)
    account = hands.values["account"]
    given = create_session(
        hands.endpoint,
        pair.certificate,
        pair.key,
        {
            "trustAnchorArn": hands.kept("anchor"),
            "profileArn": f"arn:aws:rolesanywhere:us-east-1:{account}:profile/{PROFILE}",
            "roleArn": f"arn:aws:iam::{account}:role/Backup",
        },
    )
    return (given["accessKeyId"], given["secretAccessKey"], given["sessionToken"])


def _tried(hands: Hands, name: str) -> None:
    from sts_emulator.idp.x509_signer import RefusedError

    with suppress(RefusedError):
        _session(hands, name)


def _put(hands: Hands, name: str, key: str) -> None:
    s3 = hands.client("s3", _session(hands, name))
    s3.put_object(Bucket=f"backups-{hands.values['account']}", Key=key, Body=b"flour, water, salt\n")


def _get(hands: Hands, keys: tuple[str, ...]) -> None:
    s3 = hands.client("s3", keys)
    s3.get_object(Bucket=f"backups-{hands.values['account']}", Key="recipes.txt")["Body"].read()


def _trust(hands: Hands, names: dict[str, str]) -> None:
    allow: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": "rolesanywhere.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": names},
    }
    hands.trust("Backup", allow)


# -- wrong ways ------------------------------------------------------------------------------------------------------


def same_organization(hands: Hands) -> None:
    _trust(hands, {"aws:PrincipalTag/x509Subject/O": "Bakery"})


def at_the_authority_alone(_: Hands) -> None:
    """It is on the list, so it is over."""


def list_alone(_: Hands) -> None:
    """The certificate is revoked, so it is over."""


def no_anchor(hands: Hands) -> None:
    identifier = hands.kept("anchor").rpartition("/")[2]
    hands.client("rolesanywhere").disable_trust_anchor(trustAnchorId=identifier)


# -- checks ----------------------------------------------------------------------------------------------------------


def only_the_server(seen: Seen) -> Iterator[str]:
    if not _anchors(seen):
        yield "AWS does not know the bakery's authority yet: do the step `anchor` first."
    if _may_become(seen, "printer"):
        yield "The printer's certificate still becomes Backup."


def stolen_is_refused(seen: Seen) -> Iterator[str]:
    came = _of_the_server(seen)
    if not came:
        yield "The server has not used its certificate yet: do the step `back-up` first."
    last = came[-1]
    revoked = [attempt for attempt in came if _refused(attempt)]
    if not revoked:
        yield (
            "No certificate was refused as revoked yet: import the authority's list, and let the thief ask once more."
        )
    if _serial(revoked[-1]) == _serial(last) and not _refused(last):
        yield "The stolen certificate was taken again after it had been refused."
    if not any(crl["enabled"] for crl in seen.world.page(anywhere.CRL)):
        yield "The revocation list is there, but it is switched off."


def old_session_is_over(seen: Seen) -> Iterator[str]:
    came = _of_the_server(seen)
    gone = {_serial(attempt) for attempt in came if _refused(attempt)}
    out = [attempt for attempt in came if attempt.is_allowed and _serial(attempt) in gone]
    if not out:
        yield "There is no session of a revoked certificate yet: do the steps `stolen` to `heard` first."
    if _may_read(seen, clock.iso(out[-1].at)):
        yield "A session that was made with the stolen certificate can still read the recipe."


def server_goes_on(seen: Seen) -> Iterator[str]:
    if not any(anchor["enabled"] for anchor in _anchors(seen)):
        yield "No trust anchor is switched on: no certificate of the bakery gets a session."
    if not _may_become(seen, "backup"):
        yield "A good certificate of the server does not become Backup any more."
    if not _may_read(seen, clock.iso(seen.world.now() + 1)):
        yield "The server's new sessions may not read backups any more."


def _anchors(seen: Seen) -> list[Any]:
    return list(seen.world.page(anywhere.TRUST_ANCHOR))


def _of_the_server(seen: Seen) -> list[Attempt]:
    return list(
        seen.find({"eventName": "CreateSession", "additionalEventData.evidence.certificate.subject": "*CN=backup*"})
    )


def _refused(attempt: Attempt) -> bool:
    return "revoked" in attempt.value("additionalEventData.evidence.refused")


def _serial(attempt: Attempt) -> str:
    return attempt.value("additionalEventData.evidence.certificate.serialNumber")


def _may_become(seen: Seen, name: str) -> bool:
    role = f"arn:aws:iam::{seen.values['account']}:role/Backup"
    shown = {"subject": {"O": "Bakery", "CN": name}, "anchor": _anchors(seen)[-1]["name"]}
    return seen.allows(assume=role, with_={"certificate": shown})


def _may_read(seen: Seen, issued: str) -> bool:
    resource = f"arn:aws:s3:::backups-{seen.values['account']}/recipes.txt"
    keys = {"aws:TokenIssueTime": issued}
    return seen.allows(may=f"s3:GetObject on {resource}", caller={"role": "Backup"}, keys=keys)
