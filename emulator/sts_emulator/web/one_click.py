"""What can be made by one click: whatever a world's scenario names, each with the form that makes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from sts_emulator.accounts import directory, documents
from sts_emulator.analysis.estate import Estate
from sts_emulator.analysis.reach import Reach
from sts_emulator.analysis.suggest import flow
from sts_emulator.core.world import World
from sts_emulator.idp.presets import PRESETS
from sts_emulator.idp.user_pools import kinds
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario import kept
from sts_emulator.scenario.kept import Kept
from sts_emulator.web import trials
from sts_emulator.web.attempts import short

MOST_ROLES: Final = 60
"""Roles of which ways in are looked for: that takes time, and others wait."""
MOST: Final = 100
"""Buttons of a kind."""


@dataclass(frozen=True, slots=True)
class Click:
    """A button: what it says, the form of the workbench that it sends, and the fields of that."""

    told: str
    form: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """The buttons of one kind."""

    title: str
    clicks: tuple[Click, ...]


def groups(world: World, estate: Estate) -> Iterator[Group]:
    """All kinds of which there are any."""
    expected = list(kept.expectations(world))
    for title, clicks in (
        ("Tokens", [*_issuers(world), *_tokens(world, expected)]),
        ("Assertions", _assertions(world)),
        ("Certificates", _certificates(world, expected)),
        ("People of Identity Center", _people(world)),
        ("Users of pools", _pool_users(world)),
        ("What the scenario expects", _expectations(expected)),
        ("Ways into roles", _ways(world, estate)),
    ):
        shown = tuple(click for click, _ in zip(clicks, range(MOST), strict=False))
        if shown:
            yield Group(title, shown)


def lines(given: JsonObject) -> str:
    """Options and claims as the form of a token has them."""
    return "\n".join(f"{name} = {_text(value)}" for name, value in given.items() if value is not None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _issuers(world: World) -> Iterator[Click]:
    for issuer in world.page(documents.ISSUER):
        if (preset := PRESETS.get(issuer.get("preset", ""))) is not None:
            fields = {"issuer": issuer["name"], "claims": lines(preset.options)}
            yield Click(f"{issuer['name']}, as it comes", "token", fields)


def _tokens(world: World, expected: list[Kept]) -> Iterator[Click]:
    """The tokens that expectations suppose, made in earnest."""
    for known in expected:
        for name, given in known.expectation.with_.items():
            issuer = world.get(documents.ISSUER, name)
            if isinstance(given, Mapping) and (name in PRESETS if issuer is None else issuer["preset"] in PRESETS):
                yield Click(f"{name}: {known.title}", "token", {"issuer": name, "claims": lines(given)})


def _assertions(world: World) -> Iterator[Click]:
    for idp in world.page(documents.SAML_IDP):
        for user in sorted(idp["users"]):
            yield Click(f"{user} of {idp['name']}", "assertion", {"person": f"{idp['name']}/{user}"})


def _certificates(world: World, expected: list[Kept]) -> Iterator[Click]:
    """Those that expectations suppose, by the first private authority that there is."""
    authority = next(iter(world.page(documents.PRIVATE_CA)), None)
    if authority is None:
        return
    yield Click("a workload", "certificate", {"authority": authority["arn"], "subject": "CN = workload"})
    for known in expected:
        given = known.expectation.with_.get("certificate")
        if isinstance(given, Mapping) and isinstance(given.get("subject"), Mapping):
            names = {name: ", ".join(_listed(given.get(name))) for name in ("dns", "uri")}
            fields = {"authority": authority["arn"], "subject": lines(given["subject"]), **names}
            yield Click(known.title, "certificate", fields)


def _listed(value: object) -> list[str]:
    return [] if value is None else [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _people(world: World) -> Iterator[Click]:
    for center in directory.instances(world):
        for person in world.page(directory.USERS, f"{center['store']}/", limit=MOST):
            yield Click(person["name"], "person", {"person": person["name"], "start_url": center["start_url"]})


def _pool_users(world: World) -> Iterator[Click]:
    for pool in world.page(kinds.POOL):
        for user in world.page(kinds.USER, f"{pool['id']}/", limit=MOST):
            yield Click(
                f"{user['username']} of {pool['name']}", "sign-in", {"user": f"{pool['id']}/{user['username']}"}
            )


def _expectations(expected: list[Kept]) -> Iterator[Click]:
    for known in expected:
        if known.expectation.assume and known.expectation.may is None and known.expectation.time is None:
            told = f"{known.title} ({known.expectation.result})"
            yield Click(told, "try", {"expectation": f"- {flow(known.written)}"})


def _ways(world: World, estate: Estate) -> Iterator[Click]:
    """The smallest request that gets in, for each way into a role."""
    reach = Reach(estate)
    for arn in list(estate.roles)[:MOST_ROLES]:
        for step in reach.into(arn):
            if text := trials.written(world, step, estate):
                told = f"{step.whom or short(step.who)} becomes {arn.partition(':role/')[2]} ({account_in(arn)})"
                yield Click(told, "try", {"expectation": text})
