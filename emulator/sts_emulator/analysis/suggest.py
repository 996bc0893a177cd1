"""Turns a witness into the expectation that would have noticed it, as lines of YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sts_emulator.accounts.documents import OIDC_PROVIDER
from sts_emulator.accounts.resources import role_by_arn, user_by_arn
from sts_emulator.analysis.compare import Witness
from sts_emulator.core.world import World
from sts_emulator.policy.federated import issuer_of


def suggestion(witness: Witness, world: World) -> Iterator[str]:
    """The expectation; its first line is a comment where the caller is not one of the scenario's."""
    entry: dict[str, Any] = {"assume": witness.request.resource}
    principal = witness.request.principal
    brought = {key.lower(): values for key, values in witness.chosen.items()}
    if principal.type == "oidc":
        entry["with"] = {"claims": _claims(witness, brought, world)}
    elif principal.type == "saml":
        said = ", ".join(f"{key}={','.join(brought.pop(key))}" for key in list(brought) if key.startswith("saml:"))
        yield f"# an assertion of {principal.value}{f' with {said}' if said else ''}, of a user that you have"
        entry["with"] = {"saml": {"user": "somebody"}}
    elif principal.type == "service":
        entry["caller"] = _service(principal.value, brought)
    else:
        arn = principal.role_arn or principal.user_arn
        if role_by_arn(world, arn) is None and user_by_arn(world, arn) is None:
            yield f"# any principal of account {principal.account}; this one stands for it"
        with_mfa = brought.pop("aws:multifactorauthpresent", ()) == ("true",)
        entry["caller"] = (
            {"user": arn.rpartition("/")[2], "account": principal.account, "mfa": "true"} if with_mfa else arn
        )
    entry |= _rest(brought)
    entry["result"] = "deny"
    yield f"- {_flow(entry)}"


def _claims(witness: Witness, brought: dict[str, tuple[str, ...]], world: World) -> dict[str, str]:
    issuer = issuer_of(witness.request.principal.value)
    claims = {"iss": f"https://{issuer}"}
    for name in [name for name in brought if name.startswith(f"{issuer.lower()}:")]:
        claims[name.rpartition(":")[2]] = brought.pop(name)[0]
    provider = world.find(OIDC_PROVIDER, witness.request.principal.value)
    if provider is not None and provider["client_ids"]:
        claims.setdefault("aud", provider["client_ids"][0])  # a policy that does not test it takes any registered one
    return {"sub": "somebody", **claims}


def _service(name: str, brought: dict[str, tuple[str, ...]]) -> Any:
    found = {
        member: brought.pop(key)[0]
        for key, member in (("aws:sourcearn", "source_arn"), ("aws:sourceaccount", "source_account"))
        if key in brought
    }
    return {"service": name, **found} if found else name


def _rest(brought: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """What is left, in the words of expectations where there are any."""
    entry: dict[str, Any] = {}
    words = {"sts:externalid": "external_id", "aws:sourceip": "source_ip", "sts:sourceidentity": "source_identity"}
    for key, values in brought.items():
        if key in words:
            entry[words[key]] = values[0]
        elif key == "sts:rolesessionname":
            entry["session_name"] = values[0]
        elif key.startswith("aws:requesttag/"):
            entry.setdefault("tags", {})[key.partition("/")[2]] = values[0]
        else:
            entry.setdefault("keys", {})[key] = list(values)
    return entry


def _flow(value: Any) -> str:
    """YAML's flow style: JSON, with plain keys."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return str(value) if str(value).replace("_", "a").isalnum() and not str(value).isdigit() else json.dumps(value)


def _key(text: str) -> str:
    return text if text.replace("_", "a").isalnum() else json.dumps(text)
