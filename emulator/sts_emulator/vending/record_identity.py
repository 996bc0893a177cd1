"""Who made a call, as CloudTrail writes it: `userIdentity`, and the account whose trail a record belongs to.

Source: docs/aws/cloudtrail.md, "Identities".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sts_emulator.catalogue import TRAILS
from sts_emulator.core import clock
from sts_emulator.policy.arns import account_in
from sts_emulator.vending.context import Caller
from sts_emulator.vending.session import FEDERATED, INSTANCE, ROLE, ROOT_TASK, Session

if TYPE_CHECKING:
    from sts_emulator.vending.record import Attempt

_TYPES = {"User": "IAMUser", "Account": "Root"}


def identity(attempt: Attempt) -> dict[str, Any]:
    """The caller, proven or, where the proof failed, as far as it is known."""
    caller = attempt.caller
    if caller is None:
        return _unsigned(attempt)
    kind = caller.context["aws:principaltype"][0]
    shown: dict[str, Any] = {
        "type": _TYPES.get(kind, kind),
        "principalId": caller.user_id,
        "arn": caller.arn,
        "accountId": caller.account,
    }
    if caller.access_key_id:
        shown["accessKeyId"] = caller.access_key_id
    if kind == "User":
        shown["userName"] = (caller.user or {"name": caller.arn.rpartition("/")[2]})["name"]
    if caller.session is not None:
        shown["sessionContext"] = _session(caller, caller.session)
        if "person" in caller.session.extra:
            shown["onBehalfOf"] = on_behalf_of(*caller.session.extra["person"])
        if "delegate" in caller.session.extra:
            # UG temporary-delegation-cloudtrail: the account that acts with what somebody delegated to it.
            shown["invokedByDelegate"] = {"accountId": caller.session.extra["delegate"]}
    return shown


def foreign(caller: Caller) -> dict[str, Any]:
    """The same caller in the trail of another account."""
    return {"type": "AWSAccount", "principalId": caller.user_id, "accountId": caller.account}


def on_behalf_of(user: str, store: str) -> dict[str, str]:
    """A person of Identity Center (docs/aws/trusted-identity-propagation.md, "With Identity Center")."""
    return {"userId": user, "identityStoreArn": store}


def account(attempt: Attempt) -> str:
    """The account that the record belongs to: the caller's, or the role's that somebody outside AWS asked for.

    What people do at Identity Center belongs to its owner, in whose account ever they become a role.
    """
    if attempt.caller is not None:
        return attempt.caller.account
    if "instanceAccount" in attempt.evidence:
        return str(attempt.evidence["instanceAccount"])
    if attempt.decisions and attempt.decisions[0].policies.resource_account:
        return attempt.decisions[0].policies.resource_account
    return account_in(str(attempt.parameters.get("RoleArn", "")))


def _unsigned(attempt: Attempt) -> dict[str, Any]:
    known = attempt.evidence
    if attempt.operation == "AssumeRoleWithSAML" and "nameQualifier" in known:
        return _vouched("SAMLUser", known["nameQualifier"], known["subject"])
    if attempt.operation == "AssumeRoleWithWebIdentity" and "provider" in known:
        return _vouched("WebIdentityUser", known["provider"], known["subject"], known["audience"])
    if "instanceAccount" in known:
        return _person(known)
    if attempt.decisions and attempt.decisions[0].request.principal.type == "service":
        return {"type": "AWSService", "invokedBy": attempt.decisions[0].request.principal.value}
    if attempt.source_ip.endswith(".amazonaws.com"):
        return {"type": "AWSService", "invokedBy": attempt.source_ip}
    trail = TRAILS.get(attempt.operation)
    return {"type": trail.stranger if trail and trail.stranger else "Unknown"}


def _person(known: Mapping[str, Any]) -> dict[str, Any]:
    """Who is signed in at Identity Center, or proves to be somebody of its directory."""
    shown = {
        "type": "IdentityCenterUser",
        "accountId": known["instanceAccount"],
        "onBehalfOf": on_behalf_of(known["userId"], known["identityStoreArn"]),
    }
    return {**shown, "credentialId": known["credentialId"]} if "credentialId" in known else shown


def _vouched(kind: str, provider: str, subject: str, audience: str = "") -> dict[str, Any]:
    principal = ":".join(part for part in (provider, audience, subject) if part)
    return {"type": kind, "principalId": principal, "userName": subject, "identityProvider": provider}


def _session(caller: Caller, session: Session) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    issuer = _issuer(caller, session)
    if issuer:
        shown["sessionIssuer"] = issuer
    if session.kind == ROLE and session.method == "AssumeRoleWithWebIdentity":
        shown["webIdFederationData"] = {"federatedProvider": session.provider, "attributes": {}}
    shown["attributes"] = {
        "creationDate": clock.iso(session.issued),
        "mfaAuthenticated": "true" if session.mfa_at else "false",
    }
    if session.kind == ROOT_TASK:
        shown["assumedRoot"] = "true"  # UG cloudtrail-track-privileged-tasks
    if session.source_identity:
        shown["sourceIdentity"] = session.source_identity
    return shown


def _issuer(caller: Caller, session: Session) -> Mapping[str, Any]:
    """Whose session it is: the role, or who asked for the federated user's."""
    if session.kind in (ROLE, INSTANCE):
        arn = caller.principal.role_arn
        return _named("Role", session.id, arn, session.account, session.name)
    if session.kind != FEDERATED:
        return {}
    maker = caller.maker
    if maker is None:
        return _named("Root", session.account, f"arn:aws:iam::{session.account}:root", session.account, "")
    return _named("IAMUser", maker["id"], maker["arn"], session.account, maker["name"])


def _named(kind: str, principal: str, arn: str, owner: str, name: str) -> dict[str, Any]:
    shown = {"type": kind, "principalId": principal, "arn": arn, "accountId": owner, "userName": name}
    return {member: value for member, value in shown.items() if value}
