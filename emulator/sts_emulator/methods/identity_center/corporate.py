"""Identity Center as a SAML service provider: a company's own identity provider says who somebody is.

Source: docs/aws/identity-center.md, "SAML and SCIM". What AWS checks beyond the signature is not recorded: here the
assertion must be for this service provider, fresh, unused, and an answer to what this browser asked, if to anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Final
from urllib.parse import urlencode

from sts_emulator.accounts import directory, single_use
from sts_emulator.accounts.directory import DirectoryUser, Instance
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.methods.saml import service_provider
from sts_emulator.methods.saml.assertion_refusals import refused
from sts_emulator.methods.saml.claims import ATTRIBUTE, Claims
from sts_emulator.methods.saml.verify import Trusted
from sts_emulator.pages.sessions import Cookie, Header
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.light_dataclass import dataclass


class Question(Kept):
    """What an identity provider was asked: for which instance (its id), on the way where."""

    instance: str
    place: str


_REQUEST: Final[Kind[Question]] = Kind("corporate-sign-in")
_SPENT: Final[Kind[Kept]] = Kind("spent-corporate-assertion")
_LIFETIME: Final = 600  # seconds for which a request may be answered
_COOKIE: Final = Cookie("sts-emulator-corporate", "identity-center-corporate", _LIFETIME)
_MOST_REQUESTS: Final = 5  # of one browser at a time: tabs
_ACCESS_CONTROL: Final = f"{ATTRIBUTE}AccessControl:"
_MOST_TAGS, _LONGEST_KEY, _LONGEST_VALUE = 50, 128, 256  # STS's limits for session tags
_TAG: Final = re.compile(r"[\w\s_.:/=+\-@]*")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody whom the identity provider vouches for: until when at most, with which attributes, on the way where."""

    person: DirectoryUser
    until: int | None
    place: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def ask(visit: Visit, instance: Instance, place: str) -> tuple[str, Header]:
    """Where to send the browser so that the identity provider tells who it is; and a cookie that knows the question."""
    provider = instance["identity_provider"]
    number = f"_{os.urandom(20).hex()}"
    until = int(visit.world.now()) + _LIFETIME
    question: Question = {"name": number, "until": until, "instance": instance["id"], "place": place}
    single_use.keep(visit.world, _REQUEST, question)
    query = urlencode({"SAMLRequest": _request(visit, instance, number), "RelayState": number})
    target = provider["sign_in"]
    target = f"{visit.base_url}{target}" if target.startswith("/") else target
    asked = ",".join([*asked_of(visit), number][-_MOST_REQUESTS:])
    return f"{target}{'&' if '?' in target else '?'}{query}", _COOKIE.give(visit, asked.encode())


def instance_of(world: World, identifier: str) -> Instance:
    """The instance that takes responses at an address. Raises AwsError: NotFound 404."""
    for instance in directory.instances(world):
        if "identity_provider" in instance and directory.acs_id(instance) == identifier:
            return instance
    raise AwsError("NotFound", "No identity provider signs people in here.", status=404)


def prove(visit: Visit, instance: Instance, text: str) -> Claims:
    """What a response says, once the identity provider's key proves it; pure, so that it may run in a thread.

    Raises:
        Refused: the response proves nothing, or is for somebody else.
    """
    trusted = Trusted.of({**instance, "name": instance["id"], "issuers": instance["identity_provider"]["issuers"]})
    here = f"{visit.base_url}{directory.acs_path(instance)}"
    return service_provider.prove(trusted, text, directory.service_provider(instance), here, visit.world.now())


def receive(visit: Visit, instance: Instance, claims: Claims) -> Arrival:
    """The person of proven claims. The assertion is used up, and so is the request that it answers.

    Raises:
        Refused: it was used, or answers what this browser did not ask; nobody of that name, or a disabled user.
    """
    world, place = visit.world, ""
    if not single_use.spend(world, _SPENT, claims.digest, int(claims.ends) + 1):
        raise refused("the assertion was used before")
    if claims.in_response_to:  # without: the sign-in began at the identity provider, which AWS lets it
        asked = single_use.take(world, _REQUEST, claims.in_response_to[:100])
        if asked is None or asked["instance"] != instance["id"] or claims.in_response_to not in asked_of(visit):
            raise refused("the assertion answers a request that this browser did not make, or no longer")
        place = asked["place"]
    person = directory.user_by_name(world, instance["store"], claims.subject[:200])
    if person is None:
        raise refused(f"the directory has no user `{claims.subject[:200]}`: assertions make none, provisioning does")
    if not person["enabled"]:
        raise refused(f"the user {person['name']} is disabled")
    until = None if claims.session_ends is None else int(claims.session_ends)
    return Arrival(person, until, place, _attributes(instance, claims))


def metadata(visit: Visit, instance: Instance) -> str:
    """What an identity provider is told of this service provider."""
    place = f"{visit.base_url}{directory.acs_path(instance)}".replace("&", "&amp;")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
        f'entityID="{directory.service_provider(instance)}">\n'
        '<md:SPSSODescriptor WantAssertionsSigned="true" '
        'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">\n'
        '<md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        f'Location="{place}" index="1" isDefault="true"/>\n'
        "</md:SPSSODescriptor>\n</md:EntityDescriptor>\n"
    )


def _request(visit: Visit, instance: Instance, number: str) -> str:
    place = f"{visit.base_url}{directory.acs_path(instance)}"
    entity = directory.service_provider(instance)
    return service_provider.authn_request(entity, place, number, visit.world.now())


def asked_of(visit: Visit) -> list[str]:
    """The requests that this browser brings along that it made."""
    carried = _COOKIE.read(visit)
    return carried.decode().split(",") if carried else []


def _attributes(instance: Instance, claims: Claims) -> dict[str, str]:
    """The attributes for access control that the assertion brings, where the instance has such attributes at all.

    Raises:
        Refused: one that cannot be a session tag.
    """
    if "attributes" not in instance:
        return {}
    named = {
        name.removeprefix(_ACCESS_CONTROL): values
        for name, values in claims.attributes.items()
        if name.startswith(_ACCESS_CONTROL) and values
    }
    for key, values in named.items():
        sound = len(values) == 1 and 0 < len(key) <= _LONGEST_KEY and len(values[0]) <= _LONGEST_VALUE
        if not sound or not _TAG.fullmatch(key) or not _TAG.fullmatch(values[0]) or len(named) > _MOST_TAGS:
            raise refused(f"the attribute AccessControl:{key[:_LONGEST_KEY]} cannot be a session tag")
    return {key: values[0] for key, values in named.items()}
