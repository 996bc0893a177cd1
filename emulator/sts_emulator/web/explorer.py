"""The explorer: what is in a world's accounts, and of each role who can become it and what it can become."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from sts_emulator.accounts import anywhere, compute, directory, documents, resources
from sts_emulator.analysis import descriptions
from sts_emulator.analysis.estate import Estate
from sts_emulator.analysis.graph import STYLE, draw
from sts_emulator.analysis.reach import Reach, Step, Way
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import PENDING
from sts_emulator.idp.user_pools import kinds
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.serving.front import plant
from sts_emulator.web import expectations
from sts_emulator.web.frame import HOME, refused, view
from sts_emulator.wire.http import Response

MOST_FOR_CHAINS: Final = 400
"""Users and roles of a world in which ways over several roles are looked for: that takes time, and others wait."""
SHOWN: Final = 300
"""Things of a kind in one account that a page lists."""


@page("GET", "/_emulator/explorer", refusal=refused, own=True)
def explore(visit: Visit) -> Response:
    """The accounts with everything in them, and the people of Identity Center."""
    planted(visit)
    world = visit.world
    accounts = [
        {
            "id": account["id"],
            "name": account.get("alias") or account.get("name", ""),
            "kinds": dict(_kinds(visit, account["id"])),
        }
        for account in world.page(documents.ACCOUNT)
    ]
    return view(
        visit,
        "explorer.html",
        "explorer",
        accounts=accounts,
        centers=[_center(visit, instance) for instance in directory.instances(world)],
        server=visit.base_url.removesuffix(visit.root),
    )


@page("GET", "/_emulator/explorer/role", refusal=refused, own=True)
def show_role(visit: Visit) -> Response:
    """One role: its trust policy, who can become it, and what it can become."""
    planted(visit)
    role = role_of(visit, visit.query.get("arn", ""))
    estate = Estate((), visit.world)
    return role_page(visit, estate, role, estate.shown_text(role))


@page("GET", "/_emulator/explorer/picture.css", own=True)
def picture_style(_: Visit) -> Response:
    """What pictures look like."""
    return render.text(200, "text/css", STYLE)


def planted(visit: Visit) -> None:
    """Bring the world to what its scenario has put off until somebody looks."""
    if PENDING in visit.world.settings:
        plant(visit.server, visit.world)


def role_of(visit: Visit, arn: str) -> documents.Role:
    """A role of the world. Raises AwsError: NotFound 404."""
    role = resources.role_by_arn(visit.world, arn)
    if role is None:
        raise AwsError("NotFound", f"There is no role {arn[:200]} in this world.", status=404)
    return role


def role_page(visit: Visit, estate: Estate, role: documents.Role, text: str, **more: object) -> Response:
    """The page of a role, its trust policy as it is or as it is being edited."""
    arn, reach = role["arn"], Reach(estate)
    chains = len(estate.roles) + len(estate.users) <= MOST_FOR_CHAINS
    into, out = reach.who_can(arn, chains=chains), reach.what_can(arn, chains=chains)
    return view(
        visit,
        "role.html",
        "explorer",
        status=400 if more.get("wrong") else 200,
        role=role,
        text=pretty(text),
        statements=list(_statements(estate.shown_text(role))),
        into=list(map(_row, into)),
        out=list(map(_row, out)),
        into_picture=_picture(visit, into, f"Who can become {role['name']}", arn) if into else "",
        out_picture=_picture(visit, out, f"What {role['name']} can become", arn) if out else "",
        chains=chains,
        documents=[pretty(document.text) for document in resources.principal_documents(visit.world, "role", role)],
        expectations=expectations.verdicts(visit, role),
        **{"wrong": "", "checked": None, **more},
    )


def pretty(text: str) -> str:
    """A policy indented; as it is where it is no JSON."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _statements(text: str) -> Iterator[tuple[int, str]]:
    listed = json.loads(text).get("Statement", [])
    for number, statement in enumerate(listed if isinstance(listed, list) else [listed]):
        yield number, json.dumps(statement, indent=2, ensure_ascii=False)


def _picture(visit: Visit, ways: list[Way], title: str, arn: str) -> str:
    def link(step: Step) -> str:
        number = step.statement.partition("]")[0].rpartition("[")[2]
        return f"{place(visit, step.role)}#statement-{number if number.isdigit() else 0}"

    return draw(ways, title, targets=[arn], link=link)


def place(visit: Visit, arn: str) -> str:
    """Where a role's page is."""
    return f"{visit.root}{HOME}/explorer/role?arn={quote(arn, safe='')}"


def _row(way: Way) -> JsonObject:
    origin = way.origin
    return {
        "who": origin.whom or origin.who,
        "kind": origin.kind,
        "role": way.role,
        "through": [step.role for step in way.steps[:-1]],
        "brings": "; then ".join(told for step in way.steps if (told := descriptions.chosen(step.brings))),
        "when": "; then ".join(told for step in way.steps if (told := " and ".join(step.when))),
        "depends": any(step.depends for step in way.steps),
    }


# -- what is there ---------------------------------------------------------------------------------------------------


def _kinds(visit: Visit, account: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(kind, (name, what else there is to say of it) of each) of one account; nothing of kinds that are not there."""
    world = visit.world
    named: tuple[tuple[str, Any], ...] = (
        ("Users", documents.USER),
        ("Groups", documents.GROUP),
        ("Roles", documents.ROLE),
        ("Customer managed policies", documents.POLICY),
        ("Instance profiles", documents.INSTANCE_PROFILE),
        ("OIDC providers", documents.OIDC_PROVIDER),
        ("SAML providers", documents.SAML_PROVIDER),
        ("EKS clusters", compute.CLUSTER),
    )
    for title, kind in named:
        stored: list[Mapping[str, Any]] = list(world.page(kind, f"{account}/", limit=SHOWN))
        if stored:
            yield (
                title,
                [(str(thing.get("name") or thing.get("url") or ""), str(thing.get("arn", ""))) for thing in stored],
            )
    owned: tuple[tuple[str, Any], ...] = (
        ("Trust anchors", anywhere.TRUST_ANCHOR),
        ("Roles Anywhere profiles", anywhere.ANYWHERE_PROFILE),
        ("Identity pools", documents.IDENTITY_POOL),
        ("User pools", kinds.POOL),
        ("EC2 instances", compute.INSTANCE),
    )
    for title, kind in owned:
        stored = [thing for thing in world.page(kind) if thing.get("account") == account][:SHOWN]
        if stored:
            yield (
                title,
                [(str(thing.get("name") or thing["id"]), str(thing.get("arn", thing["id"]))) for thing in stored],
            )


def _center(visit: Visit, instance: directory.Instance) -> JsonObject:
    world, store = visit.world, instance["store"]
    people = {person["id"]: person["name"] for person in world.page(directory.USERS, f"{store}/", limit=SHOWN)}
    groups = {group["id"]: group["name"] for group in world.page(directory.GROUPS, f"{store}/", limit=SHOWN)}
    sets = {known["arn"]: known["name"] for known in directory.permission_sets(world, instance)}
    assigned = [
        {
            "who": people.get(assignment["principal"])
            or groups.get(assignment["principal"])
            or assignment["principal"],
            "set": sets[arn],
            "account": assignment["account"],
            "role": role["arn"] if (role := directory.role_for(world, assignment["account"], arn)) else "",
        }
        for arn in sets
        for assignment in directory.assignments(world, arn)
    ]
    return {
        "start_url": instance["start_url"],
        "people": sorted(people.values()),
        "groups": sorted(groups.values()),
        "sets": sorted(sets.values()),
        "assignments": assigned[:SHOWN],
    }
