"""A trust policy edited: lint, who gains and who loses, which attempts would end otherwise; saved, or downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sts_emulator.accounts.documents import Role
from sts_emulator.analysis.compare import compare
from sts_emulator.analysis.descriptions import chosen
from sts_emulator.analysis.estate import Estate
from sts_emulator.core.errors import AwsError
from sts_emulator.importers.inventory import Inventory, Thing
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.deciding.document import MalformedPolicy, parse
from sts_emulator.policy.deciding.engine import decide
from sts_emulator.policy.linting.lint import Known, lint
from sts_emulator.scenario.write import scenario_lines
from sts_emulator.vending import questions
from sts_emulator.web import expectations
from sts_emulator.web.attempts import attempt
from sts_emulator.web.explorer import place, role_of, role_page
from sts_emulator.web.frame import refused, view
from sts_emulator.wire.http import Response

LOOKED: Final = 300
"""Attempts that are asked again with the edited policy."""
LONGEST: Final = 20_000
"""Characters of an edited policy: ten times IAM's quota."""


@page("POST", "/_emulator/explorer/role", refusal=refused, own=True)
async def check(visit: Visit) -> Response:
    """The page with what is to be said of the edited policy; with `part`, that alone."""
    role, text = role_of(visit, visit.posted.get("arn", "")), visit.posted.get("trust", "")[:LONGEST]
    estate = Estate((), visit.world)
    checked = await _checked(visit, estate, role, text)
    if visit.posted.get("part"):
        return view(visit, "checked.html", "explorer", checked=checked)
    return role_page(visit, estate, role, text, checked=checked)


@page("POST", "/_emulator/explorer/role/save", refusal=refused, own=True)
def save(visit: Visit) -> Response:
    """Save it as the account's root would, by IAM's own operation."""
    role, text = role_of(visit, visit.posted.get("arn", "")), visit.posted.get("trust", "")[:LONGEST]
    given = {"RoleName": role["name"], "PolicyDocument": text}
    try:
        with visit.attempt("iam", "UpdateAssumeRolePolicy", given) as saving:
            expectations.save(saving.ctx, role, text)
    except AwsError as wrong:
        return role_page(visit, Estate((), visit.world), role, text, wrong=f"{wrong.code}: {wrong.message}")
    return render.redirect(place(visit, role["arn"]))


@page("POST", "/_emulator/explorer/role/download", refusal=refused, own=True)
def download(visit: Visit) -> Response:
    """The role with the edited policy as a scenario."""
    role, text = role_of(visit, visit.posted.get("arn", "")), visit.posted.get("trust", "")[:LONGEST]
    body: dict[str, Any] = {"path": role["path"]} if role["path"] != "/" else {}
    thing = Thing("roles", role["account"], role["name"], {**body, "trust": text})
    inventory = Inventory("the explorer", things=[thing])
    lines = "".join(scenario_lines([("sts-emulator", inventory)], expectations.written(visit, role)))
    response = render.text(200, "application/yaml", lines)
    response.headers.append(("content-disposition", f'attachment; filename="{_file(role["name"])}.yaml"'))
    return response


def _file(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)


async def _checked(visit: Visit, estate: Estate, role: Role, text: str) -> Mapping[str, object]:
    arns = frozenset((*estate.roles, *estate.users, *(arn for arn, _ in estate.providers())))
    known = Known(arns, estate.accounts, estate.accounts)
    findings = lint(text, role_account=role["account"], known=known, now=visit.world.now())
    try:
        tried = expectations.verdicts_with(visit, role, text)
        new = parse(text)
    except (AwsError, MalformedPolicy) as wrong:
        return {"wrong": f"{wrong.code}: {wrong.message}", "findings": findings}
    old = estate.shown_trust(role)
    witnesses = [
        {
            "direction": witness.direction,
            "who": witness.caller.named,
            "action": witness.action,
            "change": f"{witness.before.words} → {witness.after.words}",
            "brings": chosen(witness.chosen),
        }
        for witness in compare(old, new, role["arn"])
    ]
    flips = await _flips(visit, role, text)
    return {"wrong": "", "findings": findings, "expectations": tried, "witnesses": witnesses, "flips": flips}


async def _flips(visit: Visit, role: Role, text: str) -> list[dict[str, str]]:
    """The newest attempts at the role that would end otherwise."""
    flips, looked, new = [], 0, parse(text)
    async for event in visit.server.events.scan(visit.world.name):
        looked += 1
        if looked > LOOKED:
            break
        decisions = event.record()["additionalEventData"]["decisions"]
        if not decisions or decisions[0]["resource"] != role["arn"] or "explanation" in decisions[0]:
            continue
        consulted = questions.restored(decisions[0])
        after = decide(consulted.request, replace(consulted.policies, trust=new)).verdict
        if after != consulted.decision.verdict:
            known = attempt(event)
            came = "allowed" if after == "allow" else "denied"
            told = {"id": known.id, "who": known.who, "time": known.time, "before": known.outcome, "after": came}
            flips.append(told)
    return flips
