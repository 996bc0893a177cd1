"""The policy templates of a partner, which AWS registers by hand when a partner is taken on."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sts_emulator.accounts import documents
from sts_emulator.iam.delegation import templates
from sts_emulator.scenario.policies import Policy
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.seed import Section, Seed


def _create(seed: Seed, declared: Mapping[str, Policy]) -> None:
    for name, text in declared.items():
        if not _is_template(text):
            message = f"template `{name}` is no policy: expected statements, each a mapping"
            raise ScenarioError.at(seed.where, message)
        arn = templates.arn(seed.account, name)
        template = documents.DelegationTemplate(account=seed.account, name=name, text=text)
        seed.world.put(documents.DELEGATION_TEMPLATE, arn, template)


def _is_template(text: str) -> bool:
    """Whether it can be filled in; what comes of that is judged when it is."""
    try:
        document = json.loads(text)
    except ValueError:
        return False
    statements = document.get("Statement") if isinstance(document, dict) else None
    listed = statements if isinstance(statements, list) else [statements]
    return all(_is_statement(item) for item in listed)


def _is_statement(statement: object) -> bool:
    return isinstance(statement, dict) and isinstance(statement.get(templates.ENABLED, ""), str)


SECTION = Section("delegation_templates", Mapping[str, Policy], _create)
