"""From an ARN form and a call's parameters to the ARNs of the resources that the call names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from typing import Any, Final

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Call

_PLACEHOLDER: Final = re.compile(r"\$\{(\w+)\}")
_ENDING: Final = re.compile(r"(?:Name|Id|Arn|ARN)$")
_KNOWN: Final = ("Partition", "Region", "Account")
ANY: Final = "*"
"""What stands for a name that the request does not tell: only a policy that covers every name matches it."""


def named(form: str, call: Call, parameters: Mapping[str, Any], members: Mapping[str, str]) -> tuple[str, ...]:
    """The ARNs of that form that the parameters name; none, if they name none, or in part.

    `members` are paths of parameters by placeholder; for others a parameter of the same name is looked for. A parameter
    that holds an ARN already is taken as it is.
    """
    names = [name for name in _PLACEHOLDER.findall(form) if name not in _KNOWN]
    values = {name: bound(name, parameters, members) for name in names}
    whole = tuple(value for name in names for value in values[name] if value.startswith("arn:"))
    plain = [tuple(value for value in values[name] if not value.startswith("arn:")) for name in names]
    owner = _owner(parameters, members)
    filled_in = (filled(form, call, {**owner, **dict(zip(names, choice, strict=True))}) for choice in product(*plain))
    return tuple(dict.fromkeys((*whole, *filled_in)))


def with_gaps(form: str, call: Call, parameters: Mapping[str, Any], members: Mapping[str, str]) -> tuple[str, ...]:
    """Likewise for a resource that is always needed: what is not named is any."""
    names = [name for name in _PLACEHOLDER.findall(form) if name not in _KNOWN]
    values = {name: value for name in names for value in bound(name, parameters, members)[:1]}
    return named(form, call, parameters, members) or (filled(form, call, {**_owner(parameters, members), **values}),)


def _owner(parameters: Mapping[str, Any], members: Mapping[str, str]) -> dict[str, str]:
    """The account, where a parameter names another one than the caller's."""
    account = read.first(parameters, members["Account"]) if "Account" in members else ""
    return {"Account": account} if account else {}


def filled(form: str, call: Call, names: Mapping[str, str]) -> str:
    """The form with its placeholders filled in; a name that is not given is any."""
    known = {"Partition": call.partition, "Region": call.region, "Account": call.account, **names}
    return _PLACEHOLDER.sub(lambda match: known.get(match[1], ANY), form)


KEY_OF_ALIAS: Final = ":key/alias/"
"""In the ARN of a key of KMS that only an alias names: the door asks for the key (key_aliases.py)."""


def of_key(call: Call, named: str) -> str:
    """The ARN of a KMS key by its id, its ARN or an alias of either kind; any, where nothing names it."""
    if named.startswith("arn:"):
        return named.replace(":alias/", KEY_OF_ALIAS, 1)
    return f"arn:{call.partition}:kms:{call.region}:{call.account}:key/{named or ANY}"


def bound(placeholder: str, parameters: Mapping[str, Any], members: Mapping[str, str]) -> tuple[str, ...]:
    """The values that the parameters have for a placeholder."""
    if placeholder in members:
        return _texts(read.at(parameters, members[placeholder]))
    stem = _ENDING.sub("", placeholder).lower()
    wanted = [placeholder.lower(), *(stem + ending for ending in ("name", "id", "arn", "") if stem)]
    by_name = {name.lower(): name for name in parameters}
    for name in [*wanted, *(name + "s" for name in wanted)]:
        if name in by_name and (values := _texts(read.at(parameters, by_name[name]))):
            return values
    return ()


def _texts(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value for value in values if value)
