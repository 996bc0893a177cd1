"""Owns what IAM refuses to save as an identity policy (managed or inline) or to accept as a session policy.

The order of the checks and their texts: docs/aws/policy-grammar.md, "Identity policies that IAM refuses". The first
failure wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sts_emulator.policy.deciding.document import ELEMENTS, LANGUAGES, TOP_LEVEL, JsonText, as_list, malformed, texts
from sts_emulator.policy.deciding.matching import ARN_PARTS, has_wildcard
from sts_emulator.policy.deciding.operators import operator, value
from sts_emulator.policy.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
PARTITION = "aws"
"""Every world is of this one; IAM refuses ARNs of another (terraform-aws-modules/terraform-aws-iam#39, its mirror)."""
IAM_PATHS = (
    *("user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/"),
    *("policy/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/"),
)
NEWER_IAM_PATHS = ("role-template/",)
"""AWS takes these too (probed 2026-09); its sentence was recorded before."""
LARGEST_EPOCH = 2**63 - 1
YEARS = range(-292_275_054, 292_278_994)  # what a Java Date can hold
LONGEST_FRACTION = 9


def check(source: object, *, newest_only: bool, stored: bool = True) -> None:
    """Refuse `source` (parsed JSON) as IAM does; `newest_only`: managed policies must be of the 2012-10-17 language.

    `stored`: a session policy is never stored, so the values of its conditions are not looked at (recorded live).

    Raises:
        MalformedPolicy: MalformedPolicyDocument with IAM's text.
    """
    if not isinstance(source, dict) or not well_formed(source):
        raise malformed(SYNTAX)
    statements: list[dict[str, Any]] = as_list(source["Statement"])
    if any("Principal" in statement or "NotPrincipal" in statement for statement in statements):
        raise malformed("Policy document should not specify a principal.")
    if newest_only and source.get("Version") != LANGUAGES[-1]:
        raise malformed("Policy document must be version 2012-10-17 or greater.")
    complaint = _resource_complaint(statements)
    if not all(_passes_legacy(statement, resources=not complaint) for statement in statements):
        raise malformed(LEGACY)
    if stored and not all(map(values_readable, statements)):
        raise malformed(LEGACY)
    check_sids(statements, "Statement IDs (SID) in a single policy must be unique.")
    if not all(_listed(statement, "Action", "NotAction") for statement in statements):
        raise malformed("Policy statement must contain actions.")
    if not all(_listed(statement, "Resource", "NotResource") for statement in statements):
        raise malformed("Policy statement must contain resources.")
    if complaint:
        raise malformed(complaint)
    for action in _texts_of(statements, "Action", "NotAction"):
        _check_action(action)


def well_formed(source: JsonObject) -> bool:
    """Whether names and types are those of the grammar; an effect's case is looked at later."""
    statements = as_list(source.get("Statement", []))
    return (
        all(name in TOP_LEVEL for name in source)
        and source.get("Version", LANGUAGES[0]) in LANGUAGES
        and isinstance(source.get("Id", ""), str)
        and bool(statements)
        and all(isinstance(statement, dict) and _statement_well_formed(statement) for statement in statements)
    )


def _statement_well_formed(statement: JsonObject) -> bool:
    effect = statement.get("Effect")
    return (
        all(name in ELEMENTS for name in statement)
        and not any(f"Not{name}" in statement and name in statement for name in ("Principal", "Action", "Resource"))
        and isinstance(effect, str)
        and effect.lower() in ("allow", "deny")
        and isinstance(statement.get("Sid", ""), str)
        and all(
            _is_text(text)
            for name in ("Action", "NotAction", "Resource", "NotResource")
            for text in as_list(statement.get(name, []))
        )
        and conditions_well_formed(statement.get("Condition", {}))
    )


def conditions_well_formed(block: object) -> bool:
    """Whether the operators exist (an empty block of an unknown one is let pass) and the values are scalars."""
    return isinstance(block, dict) and all(
        isinstance(keys, dict)
        and (not keys or operator(name).family != "unknown")
        and all(isinstance(value, str | bool) for values in keys.values() for value in as_list(values))
        for name, keys in block.items()
    )


def values_readable(statement: Mapping[str, Any]) -> bool:
    """Whether the values of numbers, addresses and ARNs can be read, which IAM asks for before it stores them.

    Which values it refuses was recorded live, its words were not. Booleans may be any text. A variable is let pass,
    and so is a bare `*` as an ARN, which is in wide use.
    """
    return all(
        value(declared, text, LANGUAGES[0], key=key.lower()).valid or "${" in text or text == "*"
        for name, keys in statement.get("Condition", {}).items()
        if (declared := operator(name)).family in ("number", "ip", "arn")
        for key, values in keys.items()
        for text in texts(values)
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, JsonText)


def check_sids(statements: Iterable[Mapping[str, Any]], not_unique: str) -> None:
    """Refuse a statement id that is used twice or is not alphanumeric; an empty one is none.

    Raises:
        MalformedPolicy: with the text `not_unique`, or that of the character check.
    """
    sids = [sid for statement in statements if (sid := statement.get("Sid", ""))]
    if any(not (sid.isascii() and sid.isalnum()) for sid in sids):
        raise malformed(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
            "[0-9A-Za-z]*"
        )
    if len(set(sids)) != len(sids):
        raise malformed(not_unique)


def _listed(statement: JsonObject, plain: str, negated: str) -> bool:
    element = statement.get(plain, statement.get(negated))
    return element is not None and element != []


def _texts_of(statements: Iterable[JsonObject], plain: str, negated: str) -> Iterator[str]:
    for statement in statements:
        yield from as_list(statement.get(plain, statement.get(negated, [])))


def _passes_legacy(statement: JsonObject, *, resources: bool) -> bool:
    return (
        statement["Effect"] in ("Allow", "Deny")
        and all(map(_passes_legacy_date, _dates(statement)))
        and (not resources or all(map(_passes_legacy_arn, _texts_of([statement], "Resource", "NotResource"))))
    )


def _dates(statement: Mapping[str, Any]) -> Iterator[str]:
    for name, keys in statement.get("Condition", {}).items():
        if operator(name).family == "date":
            for values in keys.values():
                yield from (value if isinstance(value, str) else "" for value in as_list(values))


def _passes_legacy_arn(resource: str) -> bool:
    if resource == "*":
        return True
    return (resource.count(":") >= ARN_PARTS - 1 or "::" not in resource) and resource.split(":")[2] != ""


def _passes_legacy_date(text: str) -> bool:
    """IAM reads dates leniently: an epoch number, or ISO 8601 of which nearly everything may be left out."""
    text = text.lower()
    if "t" not in text and "-" not in text:
        return _is_number(text, 0, LARGEST_EPOCH)
    day, _, clock = text.partition("t")
    year, *rest = day.removeprefix("-").split("-")
    sign = "-" if day.startswith("-") else ""
    limits = ((1, 12), (1, 31))
    return (
        len(rest) <= len(limits)
        and _is_number(sign + year, YEARS[0], YEARS[-1])
        and all(_is_number(part, *limit) for part, limit in zip(rest, limits, strict=False))
        and _passes_legacy_clock(clock)
    )


def _passes_legacy_clock(text: str) -> bool:
    hours, *rest = text.split(":", 2)
    if hours and not _is_number(hours, 0, 23):
        return False
    if rest and not _is_number(rest[0], 0, 59):
        return False
    if len(rest) < len(("minutes", "seconds")):
        return True
    seconds, zone = rest[1], ""
    for mark in ("z", "+", "-"):
        seconds, separator, tail = seconds.partition(mark)
        zone = zone or (tail if mark != "z" else "")
        if separator and not (tail == "" if mark == "z" else _passes_legacy_zone(tail)):
            return False
    whole, point, fraction = seconds.partition(".")
    return _is_number(whole, 0, 59) and (not point or _is_number(fraction, 0, 10**LONGEST_FRACTION - 1))


def _passes_legacy_zone(text: str) -> bool:
    hours, colon, minutes = text.partition(":")
    return (
        len(hours) == len("00")
        and _is_number(hours, 0, 23)
        and (not colon or (len(minutes) == len("00") and _is_number(minutes, 0, 59)))
    )


def _is_number(text: str, least: int, most: int) -> bool:
    digits = text.removeprefix("-")
    return (
        digits.isascii()
        and digits.isdecimal()
        and len(digits) <= len(str(LARGEST_EPOCH))
        and least <= int(text) <= most
    )


def _check_action(action: str) -> None:
    vendor, colon, name = action.partition(":")
    if not colon and action != "*":
        raise malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if ":" in name:
        raise malformed("Actions/Condition can contain only one colon.")
    if vendor != "*" and not (vendor.isascii() and vendor.replace("-", "a").replace(".", "a").isalnum()):
        raise malformed(f"Vendor {vendor} is not valid")


def _resource_complaint(statements: Iterable[JsonObject]) -> str:
    resources = sorted(_texts_of(statements, "Resource", "NotResource"))
    return next((complaint for resource in resources if (complaint := _complaint(resource))), "")


def _complaint(resource: str) -> str:
    """What IAM says of one resource, or the empty text."""
    if resource == "*":
        return ""
    _, colon, rest = resource.partition(":")
    if not colon:
        return f'Resource {resource} must be in ARN format or "*".'
    partition, colon, rest = rest.partition(":")
    if partition not in (PARTITION, "*"):
        parts = ":".join((*rest.split(":", 3), *("*",) * 4)[:4]) if rest else "*:*:*:*"
        return f'Partition "{partition}" is not valid for resource "arn:{partition}:{parts}".'
    service, _, rest = rest.partition(":")
    if not colon or has_wildcard(service):
        return "Resource vendor must be fully qualified and cannot contain regexes."
    region, _, rest = rest.partition(":")
    return _vendor_complaint(resource, service, region, rest.partition(":")[2])


def _vendor_complaint(resource: str, service: str, region: str, path: str) -> str:
    if region and service == "iam":
        return f"IAM resource {resource} cannot contain region information."
    if region and service == "s3" and not path.startswith("accesspoint/"):
        return f"Resource {resource} can not contain region information."
    if service == "iam" and path != "*" and not path.startswith((*IAM_PATHS, *NEWER_IAM_PATHS)):
        return f'IAM resource path must either be "*" or start with {", ".join(IAM_PATHS)}.'
    return ""
