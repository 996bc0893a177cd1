"""On whose behalf a role is used: the context of a person that Identity Center vouches for, and AssumeRole takes.

Source: docs/aws/trusted-identity-propagation.md, "With Identity Center".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.document import Document, parse
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.credentials import seal, unseal
from sts_emulator.vending.origin import SUBJECT
from sts_emulator.vending.session import Session

PROVIDER: Final = "arn:aws:iam::aws:contextProvider/IdentityCenter"
ALLOW_LIST: Final = "arn:aws:iam::aws:policy/AWSIAMIdentityCenterAllowListForIdentityContext"
"""What STS attaches to every session that carries the context of a person: it denies all that is not in its list."""

LONGEST: Final = 3_072  # characters of a ContextAssertion, by the model
_PURPOSE: Final = "identity-context"
_USER_ID: Final = "identitystore:userid"


@dataclass(frozen=True, slots=True)
class IdentityContext:
    """A person, the directory that knows them, and through which application they come.

    `audit_only`: the session tells in the trail on whose behalf it acts, and policies learn nothing
    (`sts:audit_context`).
    """

    user: str
    store: str  # ARN
    instance: str  # ARN
    application: str  # ARN
    credential: str
    audit_only: bool = False

    def keys(self) -> dict[str, tuple[str, ...]]:
        """The condition keys that the session has, lower-case."""
        return {
            _USER_ID: (self.user,),
            "identitystore:identitystorearn": (self.store,),
            "identitycenter:instancearn": (self.instance,),
            "identitycenter:applicationarn": (self.application,),
            "identitycenter:credentialid": (self.credential,),
        }

    def request_keys(self) -> dict[str, tuple[str, ...]]:
        """Those that hold while the role is assumed: the same, and as context that the request brings."""
        keys = self.keys()
        brought = {f"sts:requestcontext/{name}": values for name, values in keys.items()}
        return {**keys, **brought, "sts:requestcontextproviders": (PROVIDER,)}

    @property
    def person(self) -> tuple[str, str]:
        """What a session keeps, and its events tell: the person's id and directory."""
        return self.user, self.store

    def assertion(self, world: World, until: int) -> str:
        """The context as an application carries it to STS, good until a second of the world's clock."""
        return seal(world, _PURPOSE, json.dumps([until, asdict(self)]).encode())


def provided(
    world: World, contexts: Sequence[Mapping[str, str]] | None, session: Session | None
) -> IdentityContext | None:
    """The context that a request provides; None when it provides none.

    A session has one at most, and none beside the origin that it has for good: that another may not be added is our
    reading. Whether AWS looks at the person again when the context is used is not known: here whoever
    was disabled or deleted meanwhile gets no session.

    Raises:
        AwsError: InvalidContextAssertion 400 (the model). AWS's sentences are not recorded: these are ours.
    """
    if not contexts:
        return None
    if session is not None and SUBJECT in session.context:
        raise _invalid("The origin identity of the calling session cannot be changed.")
    if len(contexts) > 1:
        raise _invalid("A session can have one context only.")
    if contexts[0].get("ProviderArn") != PROVIDER:
        raise _invalid("The context provider is not trusted.")
    text = contexts[0].get("ContextAssertion", "")
    opened = unseal(world, _PURPOSE, text) if len(text) <= LONGEST else None
    if opened is None:
        raise _invalid("The context assertion is not valid.")
    until, members = json.loads(opened)
    if until <= world.now():
        raise _invalid("The context assertion has expired.")
    context = IdentityContext(**members)
    _check_person(world, context)
    return context


def limits(session: Session) -> tuple[Document, ...]:
    """What a session may do at most because of the person it carries; nothing for any other."""
    return (_allow_list(),) if _USER_ID in session.context else ()


def _check_person(world: World, context: IdentityContext) -> None:
    from sts_emulator.accounts import directory

    person = directory.user(world, context.store.rpartition("/")[2], context.user)
    if person is None or not person["enabled"]:
        raise _invalid("The user of the context assertion does not exist, or is disabled.")


@cache
def _allow_list() -> Document:
    """AWS's policy as one that allows what it does not deny."""
    from sts_emulator.accounts import managed_policies

    text = managed_policies.text(ALLOW_LIST)
    assert text is not None, "the catalogue has it"
    document: dict[str, Any] = json.loads(text)
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return parse(json.dumps({**document, "Statement": [allow, *document["Statement"]]}))


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidContextAssertion", message)
