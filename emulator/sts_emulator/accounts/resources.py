"""The stored things that decisions are made of: how their documents are keyed, read and compiled.

Every document is JSON under (kind, key). Times are seconds since the epoch by the world's clock; policy documents are
JSON text; `tags` is a mapping. A named thing is keyed `ACCOUNT/name` in lower case; by its uid it is found too.

account           key: account id. id, name, alias, created; perhaps password_policy, token_version, outbound_enabled,
                  outbound_issuer (uuid)
access-key        key: key id. id, account, user (empty: root), secret, status (Active, Inactive), created
user              named, uid `AIDA…`. account, name, path, id, arn, created, tags, inline {name: text}, attached [arn],
                  groups [name]; perhaps boundary (arn), password {salt, hash, changed, created, reset, earlier, used}
group             named, uid `AGPA…`. account, name, path, id, arn, created, inline, attached
role              named, uid `AROA…`. As user without groups, and trust, description, max_duration;
                  perhaps max_signin_duration
policy            named, uid: ARN. account, name, path, id, arn, created, updated, description, tags, default (`v1`),
                  versions {v1: {text, created}}; perhaps last (the highest number that was ever given)
instance-profile  named, uid `AIPA…`. account, name, path, id, arn, created, tags, roles [name]
oidc-provider     key: `ACCOUNT/host/path`, uid: ARN. account, url (no scheme), arn, client_ids, thumbprints, created,
                  tags, jwks (optional: a static key set)
saml-provider     named, uid: ARN. account, name, arn, uuid, metadata, issuers {entity id: [certificate]}, valid_until,
                  created, tags, encryption (Required, Allowed), private_keys [{id, pem, created}], strict
saml-idp          key: name. A lab identity provider (idp.saml): name, entity_id, private_key, certificate, provider,
                  users, groups. What verifies assertions does not read it
saml-assertion    key: `EXPIRY/digest`. An assertion that a strict provider has taken
issuer            key: name, uid: issuer URL. A lab issuer: name, url, preset, algorithm, keys (private), jwks. What
                  verifies tokens reads url and jwks only
mfa-device        named, uid: ARN. account, name, path, arn, seed (base32), created, tags, owner (unique id, or the
                  account's id for root; empty: nobody), enabled (since), drift, paired, used. See accounts.people
service-credential            key: `AIDA…/ACCA…`. See iam.service_credentials
credential-report             key: account. at, text
last-accessed-job             key: job id. See iam.reports
service-linked-role-deletion  key: `ACCOUNT/task`. account, role (arn)
trust-anchor      key: `ACCOUNT/region/id`, uid: ARN. account, region, name, id, arn, enabled, created, updated, tags,
                  alias; likewise roles-anywhere-profile, crl and x509-subject; more of each in methods.roles_anywhere
private-ca        key: ARN, uid: id. A lab authority: certificate (PEM), key, revoked. Verifiers read certificate only
instance          key: instance id. See methods.instance_profile.instances; likewise, in the same room,
                  ecs-task (key: task id, uid: credentials id), lambda-function (key: `ACCOUNT/region/name`, uid: ARN),
                  eks-cluster and pod-identity-association (clusters), identity-document-key (key and certificate)
delegation-template  key: ARN. account (a partner's), name, text; see iam.delegation_templates
delegation-request   key: id. See iam.delegation
notification      key: `TOPIC/number`. What SNS would have delivered: Type, MessageId, TopicArn, Message, Timestamp
organization      key: `organization`. See accounts.organizations
import            key: file. What a scenario imported: file, kind, assumed (ARNs that are taken to exist), notes
decider           key: `decider`. Who decides instead of the IAM engine: name, folder. See vending.deciders
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import managed_policies
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.document import Document, parse

Stored = Mapping[str, Any]

FULL_ACCESS = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


def key_of(account: str, name: str) -> str:
    """The key of a named thing of an account; AWS's names are unique ignoring case."""
    return f"{account}/{name.lower()}"


def role(world: World, account: str, name: str) -> Stored | None:
    """The role of that name, in any case of letters, or None."""
    return world.settled(world.get("role", key_of(account, name)))


def role_by_arn(world: World, arn: str) -> Stored | None:
    """The role whose ARN is exactly `arn`, path and case included, or None."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("role/"):  # noqa: PLR2004 - the six parts of an ARN
        return None
    found = role(world, parts[4], parts[5].rsplit("/", 1)[1])
    return found if found is not None and found["arn"] == arn else None


def arn_of_id(world: World, identifier: str) -> str | None:
    """The ARN of the user or role of that unique id, or None."""
    if not identifier.startswith(("AROA", "AIDA")):
        return None
    holder = world.find("role", identifier) or world.find("user", identifier)
    return None if holder is None else holder["arn"]


def names_in(world: World, trust: Document) -> dict[str, str]:
    """The ARNs behind the unique ids in a stored trust policy; the id of whom there is no more has none."""
    entries = [
        text for statement in trust.statements if statement.principals for _, text in statement.principals.entries
    ]
    return {text: arn for text in entries if (arn := arn_of_id(world, text))}


def user_by_arn(world: World, arn: str) -> Stored | None:
    """The user whose ARN is exactly `arn`, path and case included, or None."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("user/"):  # noqa: PLR2004 - the six parts of an ARN
        return None
    found = user(world, parts[4], parts[5].rsplit("/", 1)[1])
    return found if found is not None and found["arn"] == arn else None


def user(world: World, account: str, name: str) -> Stored | None:
    """The user of that name, in any case of letters, or None."""
    return world.settled(world.get("user", key_of(account, name)))


def managed_policy_text(world: World, arn: str) -> str | None:
    """The default version of a managed policy, the account's own or AWS's; None when there is no such policy."""
    if arn.startswith("arn:aws:iam::aws:policy/"):
        return managed_policies.text(arn)
    stored = world.settled(world.find("policy", arn))
    return None if stored is None else stored["versions"][stored["default"]]["text"]


def principal_documents(world: World, kind: str, holder: Stored) -> tuple[Document, ...]:
    """The compiled identity policies of a role or user: inline, attached, and those of a user's groups."""
    return world.memo(("identity", kind, holder["id"]), lambda: _compile(world, kind, holder))


def boundary_document(world: World, holder: Stored) -> Document | None:
    """The compiled permissions boundary of a role or user, or None when it has none."""
    arn = holder.get("boundary")
    if not arn:
        return None
    # A boundary whose policy is gone allows nothing: the strict reading.
    text = managed_policy_text(world, arn) or '{"Version":"2012-10-17","Statement":[]}'
    return parse(text)


def _compile(world: World, kind: str, holder: Stored) -> tuple[Document, ...]:
    holders = [holder]
    if kind == "user":
        for name in holder.get("groups", ()):
            group = world.settled(world.get("group", key_of(holder["account"], name)))
            if group is not None:
                holders.append(group)
    texts = [text for one in holders for text in one.get("inline", {}).values()]
    for one in holders:
        texts += [text for arn in one.get("attached", ()) if (text := managed_policy_text(world, arn))]
    return tuple(parse(text) for text in texts)
