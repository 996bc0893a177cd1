"""Bare policy documents, and definitions of OIDC providers and of Roles Anywhere as `aws` takes or shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from sts_emulator.importers import inventory
from sts_emulator.importers.inventory import Inventory, Thing, compact, kept
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.importers.parts import mapping, mappings, texts
from sts_emulator.importers.places import in_json
from sts_emulator.policy.arns import account_in, parse_arn
from sts_emulator.policy.federated import issuer_of

_OWN_PROVIDER = re.compile(r'"arn:aws[a-z-]*:iam::([0-9]{12}):(?:oidc|saml)-provider/')
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9+=,.@_-]+")


def read_policy(source: JsonText, account: str) -> Inventory:
    """A policy document by itself: a trust policy becomes a role that is called like the file, another a policy.

    A trust policy that names a provider of an account belongs to a role of that account; that is how AWS has it.

    Raises:
        BadInput: not JSON.
    """
    value = source.plain()
    contents = Inventory("a policy document")
    name = _NOT_A_NAME.sub("-", PurePath(source.file).name.partition(".")[0]).strip("-")[:64] or "role"
    section, member, named = "policies", "document", None
    if _is_trust(value):
        section, member, named = "roles", "trust", _OWN_PROVIDER.search(source.text)
    owner = account or (named[1] if named else inventory.DEFAULT_ACCOUNT)
    body, whole = {member: compact(value)}, in_json(source, {member: []}, source.start)
    contents.add(Thing(section, owner, name, body, source.line(source.start), locate=whole))
    return contents


def _is_trust(value: object) -> bool:
    """Whether any statement names principals, or none names resources."""
    listed = mapping(value).get("Statement")
    statements = mappings(listed if isinstance(listed, list) else [listed])
    if any("Principal" in statement or "NotPrincipal" in statement for statement in statements):
        return True
    return not any("Resource" in statement or "NotResource" in statement for statement in statements)


def read_oidc_provider(source: JsonText, account: str) -> Inventory:
    """An OIDC provider as create-open-id-connect-provider takes it, or get-open-id-connect-provider shows it.

    Raises:
        BadInput: not JSON, or without a URL.
    """
    value = source.plain()
    contents = Inventory("an OIDC provider")
    url = value.get("Url")
    if not isinstance(url, str) or not url:
        raise BadInput("expected `Url` to be a text", source.line(source.top["Url"]))
    client_ids, thumbprints = texts(value.get("ClientIDList")), texts(value.get("ThumbprintList"))
    name, body = inventory.oidc_provider(url, client_ids, thumbprints, value.get("Tags"))
    owner = account or inventory.DEFAULT_ACCOUNT
    contents.add(Thing("oidc_providers", owner, name, body, source.line(source.start)))
    return contents


def read_provider_list(source: JsonText, account: str) -> Inventory:
    """The ARNs that list-open-id-connect-providers shows; the clients of the providers it does not tell.

    Raises:
        BadInput: not JSON.
    """
    contents = Inventory("a list of OIDC providers", exists=True)
    for at in source.elements(source.top["OpenIDConnectProviderList"]):
        arn = source.value(at)
        arn = arn.get("Arn") if isinstance(arn, Mapping) else arn
        host = issuer_of(arn) if isinstance(arn, str) else ""
        if not isinstance(arn, str) or host == arn:
            raise BadInput("expected the ARN of an OIDC provider", source.line(at))
        body = {"url": f"https://{host}"}
        contents.add(Thing("oidc_providers", account or account_in(arn), host, body, source.line(at)))
    return contents


def read_roles_anywhere(source: JsonText, account: str) -> Inventory:
    """Trust anchors and profiles as get-, list- and create- commands of `aws rolesanywhere` show or take them.

    Raises:
        BadInput: not JSON.
    """
    contents = Inventory("IAM Roles Anywhere definitions")
    top = source.top
    for member, read in (("trustAnchor", _anchor), ("profile", _profile)):
        places = [top[member]] if member in top else []
        places += list(source.elements(top[f"{member}s"])) if f"{member}s" in top else []
        for at in places:
            read(contents, source, at, account)
    if not contents.things and "source" in top:
        _anchor(contents, source, source.start, account)
    elif not contents.things and "roleArns" in top:
        _profile(contents, source, source.start, account)
    return contents


def _anchor(contents: Inventory, source: JsonText, at: int, account: str) -> None:
    value = mapping(source.value(at))
    name = value.get("name")
    if not isinstance(name, str):
        raise BadInput("expected a trust anchor with a `name`", source.line(at))
    bundle = mapping(value, "source", "sourceData").get("x509CertificateData")
    if not isinstance(bundle, str):
        contents.note(
            source.line(at), f"trust anchor `{name}`: its certificates are not in this file, so it is left out"
        )
        return
    body = kept(certificates=bundle, id=value.get("trustAnchorId"))
    _enabled(body, value)
    contents.add(Thing("trust_anchors", _owner(value, "trustAnchorArn", account), name, body, source.line(at)))


def _profile(contents: Inventory, source: JsonText, at: int, account: str) -> None:
    value = mapping(source.value(at))
    name = value.get("name")
    if not isinstance(name, str):
        raise BadInput("expected a profile with a `name`", source.line(at))
    body = kept(
        roles=texts(value.get("roleArns")),
        id=value.get("profileId"),
        duration=str(value.get("durationSeconds", "")),
        session_policy=value.get("sessionPolicy"),
        policies=texts(value.get("managedPolicyArns")),
    )
    if value.get("acceptRoleSessionName") is True:
        body["session_names"] = "true"
    _enabled(body, value)
    owner = _owner(value, "profileArn", account)
    contents.add(Thing("roles_anywhere_profiles", owner, name, body, source.line(at)))


def _enabled(body: dict[str, Any], value: Mapping[str, Any]) -> None:
    if value.get("enabled") is False:
        body["enabled"] = "false"


def _owner(value: Mapping[str, Any], member: str, account: str) -> str:
    arns = [value.get(member), *texts(value.get("roleArns"))]
    named = next((arn for arn in arns if isinstance(arn, str) and parse_arn(arn)), "")
    return account or account_in(named) or inventory.DEFAULT_ACCOUNT
