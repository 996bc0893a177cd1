"""IAM Roles Anywhere in a scenario: trust anchors and their revocation lists, profiles, certificates as evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sts_emulator.accounts import anywhere
from sts_emulator.core.world import World
from sts_emulator.methods.roles_anywhere import kinds as nouns
from sts_emulator.methods.roles_anywhere.kinds import CRL, PROFILE, TRUST_ANCHOR, Noun, Resource
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario import signed_evidence
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.policies import Policy
from sts_emulator.scenario.problems import ScenarioError, Where
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Mistake, Reader, Shape, mapping, text
from sts_emulator.scenario.supposed import Keys, Supposed, taken

if TYPE_CHECKING:
    from sts_emulator.scenario.expect import Expectation
    from sts_emulator.scenario.rehearse import Call

_ID = re.compile(r"[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}")


class Certificates(str):
    """Certificates of authorities, as PEM: their text, `{file: ca.pem}`, or authorities of a lab PKI.

    `{pki: ../certs/pki.yaml, authorities: [lab-root]}` makes the lab's certificates when they are not there yet.
    """

    __slots__ = ()

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> Certificates:
        """Read one; what the certificates say is judged later, by IAM Roles Anywhere."""
        return cls(_pem(reader, node, "authorities", ".pem"))


class RevocationList(str):
    """A revocation list, as PEM: its text, `{file: ca.crl}`, or `{pki: ../certs/pki.yaml, authority: lab-issuing}`."""

    __slots__ = ()

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> RevocationList:
        """Read one; what it says is judged later."""
        return cls(_pem(reader, node, "authority", ".crl"))


@dataclass(frozen=True, kw_only=True)
class TrustAnchor(Shape):
    """A trust anchor: `certificates`, or the common name of a `private_ca` that is made with it.

    `id` fixes its ARN; `crls` are its revocation lists by name.
    """

    id: str = ""
    certificates: Certificates | None = None
    private_ca: str = ""
    enabled: bool = True
    distribution_points: bool = False
    alias: str = ""
    crls: Mapping[str, RevocationList] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Profile(Shape):
    """A profile: `roles` by name or ARN, `policies` are ARNs of managed ones, `mappings` replace the default ones."""

    roles: tuple[str, ...]
    id: str = ""
    enabled: bool = True
    duration: int = 3600
    session_names: bool = False
    session_policy: Policy | None = None
    policies: tuple[str, ...] = ()
    mappings: Mapping[str, tuple[str, ...]] | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    alias: str = ""


# -- reading --------------------------------------------------------------------------------------------------------


def _pem(reader: Reader, node: Node, member: str, suffix: str) -> str:
    given = reader.text_or_file(node)
    if given is not None:
        return given
    members = mapping(node)
    if set(members) != {"pki", member}:
        raise Mistake(f"expected PEM text, `file`, or `pki` and `{member}`, got {node.kind}")
    listed = members[member].value
    names = [text(item) for item in listed] if isinstance(listed, list) else [text(members[member])]
    if reader.folder is None:
        raise Mistake("only a scenario that is itself a file may name a lab PKI")
    place = reader.folder / text(members["pki"])
    bundle = "".join(_lab_file(place, name, suffix) for name in names)
    reader.files[f"{text(members['pki'])}#{','.join(names)}{suffix}"] = bundle
    return bundle


def _lab_file(declaration: Path, name: str, suffix: str) -> str:
    """A file of the lab PKI; all that is declared is made when this one is not there."""
    from sts_emulator.idp.pki import PkiError, generate
    from sts_emulator.idp.pki_declaration import DeclarationError

    wanted = declaration.parent / f"{Path(name).name}{suffix}"
    try:
        if not wanted.exists():
            generate(declaration.parent)
        return wanted.read_text("utf-8")
    except FileNotFoundError:
        raise Mistake(f"{declaration} declares no authority `{name}`") from None
    except (PkiError, DeclarationError, OSError) as why:
        raise Mistake(str(why)) from None


# -- seeding --------------------------------------------------------------------------------------------------------


def _create_anchors(seed: Seed, declared: Mapping[str, TrustAnchor]) -> None:
    for name, anchor in declared.items():
        with seed.blame(anchor.where, f"trust anchor `{name}`"):
            stored = _named(seed, TRUST_ANCHOR, name)
            given: dict[str, Any] = {
                "source": _source(seed, anchor, stored),
                "crlDpRevocationEnabled": anchor.distribution_points,
                "aliasName": anchor.alias or None,
            }
            if stored is None:
                seed.call("rolesanywhere", "CreateTrustAnchor", name=name, enabled=anchor.enabled, **given)
            else:
                seed.call("rolesanywhere", "UpdateTrustAnchor", trustAnchorId=stored["id"], **given)
            stored = _settled(seed, TRUST_ANCHOR, name, anchor)
            for called, data in anchor.crls.items():
                _set_crl(seed, stored, called, data)


def _source(seed: Seed, anchor: TrustAnchor, stored: anywhere.TrustAnchor | None) -> JsonObject:
    if (anchor.certificates is None) is not bool(anchor.private_ca):
        raise ScenarioError.at(anchor.where, "a trust anchor needs either `certificates` or a `private_ca`")
    if anchor.certificates is not None:
        data = {"x509CertificateData": str(anchor.certificates)}
        return {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": data}
    arn = stored["source"].get("pca") if stored else None
    if arn is None:
        from sts_emulator.idp import private_ca
        from sts_emulator.idp.certificates import make_key

        subject = {"CN": anchor.private_ca}
        key = make_key(private_ca.DEFAULT_KEY)
        arn = private_ca.create(seed.world, seed.account, seed.server.settings.region, subject, key)["arn"]
    return {"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": arn}}


def _set_crl(seed: Seed, anchor: anywhere.TrustAnchor, name: str, data: str) -> None:
    mine = (crl for crl in _listed(seed, CRL) if crl["anchor"] == anchor["arn"] and crl["name"] == name)
    stored, given = next(mine, None), {"crlData": data.encode()}
    if stored is not None:
        seed.call("rolesanywhere", "UpdateCrl", crlId=stored["id"], **given)
        return
    seed.call("rolesanywhere", "ImportCrl", name=name, trustAnchorArn=anchor["arn"], enabled=True, **given)


def _connect_profiles(seed: Seed, declared: Mapping[str, Profile]) -> None:
    for name, profile in declared.items():
        with seed.blame(profile.where, f"profile `{name}`"):
            stored = _named(seed, PROFILE, name)
            given: dict[str, Any] = {
                "roleArns": [seed.role(profile.where.at("roles"), role)["arn"] for role in profile.roles],
                "durationSeconds": profile.duration,
                "acceptRoleSessionName": profile.session_names,
                "sessionPolicy": profile.session_policy,
                "managedPolicyArns": list(profile.policies),
                "tipConfiguration": {"status": "ENABLED", **profile.origin} if profile.origin else None,
                "aliasName": profile.alias or None,
            }
            if stored is None:
                seed.call("rolesanywhere", "CreateProfile", name=name, enabled=profile.enabled, **given)
            else:
                seed.call("rolesanywhere", "UpdateProfile", profileId=stored["id"], **given)
            stored = _settled(seed, PROFILE, name, profile)
            _set_mappings(seed, stored, profile.mappings)


def _set_mappings(seed: Seed, profile: anywhere.AnywhereProfile, wanted: Mapping[str, tuple[str, ...]] | None) -> None:
    if wanted is None:
        return
    for certificate_field in {*profile["mappings"], *wanted}:
        place = {"profileId": profile["id"], "certificateField": certificate_field}
        seed.call("rolesanywhere", "DeleteAttributeMapping", **place)
        rules = [{"specifier": specifier} for specifier in wanted.get(certificate_field, ())]
        if rules:
            seed.call("rolesanywhere", "PutAttributeMapping", **place, mappingRules=rules)


def _listed(seed: Seed, noun: Noun[Resource]) -> list[Resource]:
    return seed.world.page(noun.kind, f"{seed.account}/{seed.server.settings.region}/")


def _named(seed: Seed, noun: Noun[Resource], name: str) -> Resource | None:
    return next((stored for stored in _listed(seed, noun) if stored["name"] == name), None)


def _settled(seed: Seed, noun: Noun[Resource], name: str, wanted: TrustAnchor | Profile) -> Resource:
    """The resource as it now is: under the id that the scenario fixes, and enabled or not as it says."""
    stored = _named(seed, noun, name)
    assert stored is not None, "it was just made"
    body: Any = {**stored, "enabled": wanted.enabled}
    if wanted.id and wanted.id != stored["id"]:
        if not _ID.fullmatch(wanted.id):
            raise ScenarioError.at(wanted.where.at("id"), f"`{wanted.id[:60]}` is not a lower-case UUID")
        seed.world.take(noun.kind, nouns.key(stored))
        body |= {"id": wanted.id, "arn": noun.arn(stored["account"], stored["region"], wanted.id)}
    if body != stored:
        seed.world.put(noun.kind, nouns.key(body), body, uid=body["arn"])
    settled: Resource = body
    return settled


TRUST_ANCHORS = Section("trust_anchors", Mapping[str, TrustAnchor], _create_anchors)
PROFILES = Section("roles_anywhere_profiles", Mapping[str, Profile], connect=_connect_profiles)


# -- expectations ---------------------------------------------------------------------------------------------------

_MEMBERS = ("subject", "dns", "uri", "directory", "serial", "anchor", "profile")


def present(call: Call, expectation: Expectation, role_arn: str, given: Mapping[str, Any]) -> None:
    """Show a certificate of that content, as if the trust anchor vouched for it.

    `anchor` and `profile` are names, and may be left out where the role's account has only one.

    Raises:
        AwsError: as the server would.
        ScenarioError: an unknown member, or no such anchor or profile.
    """
    from sts_emulator.idp.certificates import Pair, Wish, certify, make_key
    from sts_emulator.methods.roles_anywhere import anchors, session

    place = expectation.where.at("with")
    unknown = [name for name in given if name not in _MEMBERS]
    if unknown or not isinstance(given.get("subject"), Mapping):
        told = f"unknown member `{unknown[0]}` of a certificate" if unknown else "a certificate needs a `subject`"
        raise ScenarioError.at(place, f"{told}; known here: {', '.join(_MEMBERS)}")
    call.service, call.operation, call.region = "rolesanywhere", "CreateSession", call.server.settings.region
    anchor = _only(call, place, TRUST_ANCHOR, role_arn, given.get("anchor"))
    profile = _only(call, place, PROFILE, role_arn, given.get("profile"))
    try:
        wish = Wish(
            subject=given["subject"],
            dns=_texts(given.get("dns")),
            uris=_texts(given.get("uri")),
            directory=given.get("directory") or {},
            serial=int(given["serial"], 16) if "serial" in given else None,
        )
        issuer = Pair(anchors.trusted(call.world, anchor)[0], make_key("ec-p256"))
        certificate = certify(wish, make_key("ec-p256"), issuer, call.world.now()).certificate
    except (ValueError, TypeError) as bad:
        raise ScenarioError.at(place, str(bad)) from None
    name = expectation.session_name if "session_name" in expectation.where.lines else ""
    session.vend(call, anchor, certificate, profile["arn"], role_arn, name, expectation.duration)


def supposed(world: World, principal: Principal, keys: Keys) -> Supposed:
    """A certificate of the subject that a request tells of; where it tells none, the service as any other."""
    start = "aws:principaltag/x509subject/"
    subject = {name.removeprefix(start).upper(): taken(keys, name) for name in list(keys) if name.startswith(start)}
    if not subject:
        return signed_evidence.supposed(world, principal, keys)
    for source in ("aws:sourcearn", "aws:sourceaccount"):
        keys.pop(source, None)  # the anchor's, which vouches for the certificate
    return Supposed({"with": {"certificate": {"subject": subject}}})


def _only(call: Call, place: Where, noun: Noun[Resource], role_arn: str, name: str | None) -> Resource:
    account = account_in(role_arn)
    candidates = [
        stored
        for stored in call.world.page(noun.kind, f"{account}/{call.region}/")
        if name is None or stored["name"] == name
    ]
    if len(candidates) != 1:
        which = "no" if not candidates else "more than one"
        raise ScenarioError.at(place, f"{which} {noun.title.lower()} {f'`{name}` ' if name else ''}in {account}")
    return candidates[0]


def _texts(given: Any) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)
