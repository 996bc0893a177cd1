"""Subjects: one for each distinguished name that ever authenticated, with the certificates that it showed.

Only certificates that a trust anchor vouches for are remembered, so that strangers cannot fill the store.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sts_emulator.accounts.anywhere import Subject, TrustAnchor
from sts_emulator.core.store import AlreadyExistsError
from sts_emulator.methods.roles_anywhere import certificates
from sts_emulator.methods.roles_anywhere import kinds as nouns
from sts_emulator.methods.roles_anywhere.kinds import SUBJECT
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

if TYPE_CHECKING:
    from cryptography import x509

KEPT: Final = 50
"""Certificates, and sets of instance properties, that are remembered of one subject."""


@operation("rolesanywhere", "GetSubject")
def get_subject(ctx: Context, *, subjectId: str) -> Result:
    subject = nouns.reach(ctx, "GetSubject", SUBJECT, subjectId)
    credentials = [
        {
            "seenAt": credential["seen"],
            "serialNumber": credential["serial"],
            "issuer": credential["issuer"],
            "enabled": True,
            "x509CertificateData": credential["pem"],
            "failed": credential["failed"],
        }
        for credential in subject["credentials"]
    ]
    instances = [
        {"seenAt": instance["seen"], "properties": instance["properties"], "failed": instance["failed"]}
        for instance in subject["instances"]
    ]
    return {"subject": {**_summary(ctx, subject), "credentials": credentials, "instanceProperties": instances}}


@operation("rolesanywhere", "ListSubjects")
def list_subjects(ctx: Context, *, nextToken: str = "", pageSize: int | None = None) -> Result:
    nouns.permit(ctx, "ListSubjects")
    subjects, rest = nouns.page(ctx, SUBJECT, nextToken, pageSize)
    return {"subjects": [_summary(ctx, subject) for subject in subjects], **rest}


def arn_of(anchor: TrustAnchor, certificate: x509.Certificate) -> str:
    """The ARN of a certificate's subject in the anchor's account and region, whether or not it was seen before."""
    return SUBJECT.arn(anchor["account"], anchor["region"], _id(anchor, certificate.subject.rfc4514_string()))


def remember(
    ctx: Context, anchor: TrustAnchor, certificate: x509.Certificate, properties: Mapping[str, str], *, failed: bool
) -> None:
    """Write down that a certificate was shown, and what came of it.

    The store is written only when there is something new to say; that it was seen again is kept in memory, because a
    write on every call would make every call slow.
    """
    name, now = certificate.subject.rfc4514_string(), ctx.world.now()
    identifier = _id(anchor, name)
    key = f"{anchor['account']}/{anchor['region']}/{identifier}"
    ctx.world.touch(SUBJECT.kind, key, now)
    shown = {
        "serial": certificates.serial(certificate),
        "issuer": certificate.issuer.rfc4514_string(),
        "pem": certificates.to_pem(certificate),
        "seen": now,
        "failed": failed,
    }
    instance = {"properties": dict(properties), "seen": now, "failed": failed}
    subject = ctx.world.get(SUBJECT.kind, key)
    if subject is None:
        subject = _new(anchor, identifier, name, now)
        with suppress(AlreadyExistsError):  # another replica saw it at the same moment
            ctx.world.add(SUBJECT.kind, key, subject, uid=subject["arn"])
    elif not _is_news(subject, shown, instance):
        return
    ctx.world.update(SUBJECT.kind, key, lambda body: _told(body, shown, instance, now))


def _new(anchor: TrustAnchor, identifier: str, name: str, now: float) -> Subject:
    own = {"subject": name, "seen": now, "credentials": [], "instances": []}
    new: Subject = nouns.body(SUBJECT, anchor["account"], anchor["region"], identifier, now, **own)
    return new


def _told(body: Subject, shown: dict[str, Any], instance: dict[str, Any], now: float) -> Subject:
    credentials = [credential for credential in body["credentials"] if credential["pem"] != shown["pem"]]
    instances = [other for other in body["instances"] if other["properties"] != instance["properties"]]
    if instance["properties"]:
        instances.append(instance)
    return {
        **body,
        "updated": now,
        "seen": now,
        "credentials": [*credentials, shown][-KEPT:],
        "instances": instances[-KEPT:],
    }


def _is_news(subject: Subject, shown: Mapping[str, object], instance: Mapping[str, object]) -> bool:
    known = any(
        credential["pem"] == shown["pem"] and credential["failed"] == shown["failed"]
        for credential in subject["credentials"]
    )
    if not known:
        return True
    return bool(instance["properties"]) and not any(
        other["properties"] == instance["properties"] and other["failed"] == instance["failed"]
        for other in subject["instances"]
    )


def _summary(ctx: Context, subject: Subject) -> Result:
    return {
        **nouns.shown(subject, SUBJECT),
        "x509Subject": subject["subject"],
        "lastSeenAt": ctx.world.touched(SUBJECT.kind, nouns.key(subject)) or subject["seen"],
    }


def _id(anchor: TrustAnchor, name: str) -> str:
    """The same name is the same subject in every replica, without a look-up."""
    return str(uuid.uuid5(uuid.NAMESPACE_X500, f"{anchor['account']}/{anchor['region']}/{name}"))
