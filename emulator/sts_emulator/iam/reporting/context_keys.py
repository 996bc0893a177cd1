"""Which condition keys policies read: what a simulation of them has to be told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sts_emulator.core.errors import AwsError
from sts_emulator.iam.permits import permit
from sts_emulator.iam.reporting.policy_sources import boundary, reach_holder, sources
from sts_emulator.policy.deciding.document import ELEMENTS, TOP_LEVEL, MalformedPolicy, as_list, load
from sts_emulator.policy.deciding.operators import operator
from sts_emulator.policy.deciding.variables import ESCAPES, LANGUAGE_WITH_VARIABLES
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result
from sts_emulator.wire.dispatch import operation as registered


@registered("iam", "GetContextKeysForCustomPolicy")
def get_context_keys_for_custom_policy(ctx: Context, *, PolicyInputList: list[str]) -> Result:
    """The keys that the given policies read; a key once for each policy that reads it."""
    permit(ctx, "GetContextKeysForCustomPolicy", "*")
    return {"ContextKeyNames": list(keys(PolicyInputList))}


@registered("iam", "GetContextKeysForPrincipalPolicy")
def get_context_keys_for_principal_policy(
    ctx: Context, *, PolicySourceArn: str, PolicyInputList: list[str] | None = None
) -> Result:
    """The keys that the policies of a user, group or role read, those of its boundary and the given ones too."""
    noun, holder = reach_holder(ctx, PolicySourceArn)
    policies = [*sources(ctx.world, noun, holder), boundary(ctx.world, holder)]
    texts = [source.text for source in policies if source is not None]
    return {"ContextKeyNames": list(keys([*texts, *(PolicyInputList or ())]))}


def keys(texts: Iterable[str]) -> Iterator[str]:
    """Condition keys and policy variables of each text, as written, without repetition within one text.

    Far more is let pass than on save: only unknown elements, operators and effects are refused (recorded 2026-09,
    tests/iam/cases/context_keys.json).

    Raises:
        AwsError: InvalidInput.
    """
    for text in texts:
        yield from dict.fromkeys(_keys(text))


def _keys(text: str) -> Iterator[str]:
    try:
        document = load(text)
    except MalformedPolicy as bad:
        raise _invalid(bad.message) from None
    if not isinstance(document, dict) or not set(document) <= set(TOP_LEVEL):
        raise _invalid("Syntax errors in policy.")
    variables = document.get("Version") == LANGUAGE_WITH_VARIABLES
    for statement in as_list(document.get("Statement", [])):
        if not isinstance(statement, dict) or not set(statement) <= set(ELEMENTS):
            raise _invalid("Syntax errors in policy.")
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise _invalid("Syntax errors in policy.")
        yield from _statement_keys(statement, variables=variables)


def _statement_keys(statement: JsonObject, *, variables: bool) -> Iterator[str]:
    read = [*as_list(statement.get("Resource", [])), *as_list(statement.get("NotResource", []))]
    conditions = statement.get("Condition", {})
    if not isinstance(conditions, dict) or not all(isinstance(block, dict) for block in conditions.values()):
        raise _invalid("Syntax errors in policy.")
    for name, block in conditions.items():
        if operator(name).family == "unknown":
            raise _invalid("Syntax errors in policy.")
        yield from block
        read += [value for values in block.values() for value in as_list(values)]
    if variables:
        for text in read:
            yield from _variables(text) if isinstance(text, str) else ()


def _variables(text: str) -> Iterator[str]:
    """What stands in `${…}`, the escapes too: the simulator lists even those."""
    place = 0
    while (start := text.find("${", place)) >= 0 and (end := text.find("}", start)) >= 0:
        inner = text[start + 2 : end]
        yield inner if inner in ESCAPES else inner.partition(",")[0].strip()
        place = end + 1


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidInput", message)
