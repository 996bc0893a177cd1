"""The workbench: tokens, assertions, certificates and users' sign-ins made by a click, and tried on any role."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from sts_emulator.accounts import directory, documents
from sts_emulator.analysis.estate import Estate
from sts_emulator.analysis.reach import Reach
from sts_emulator.app import handle
from sts_emulator.idp import certificates, private_ca
from sts_emulator.idp.certificates import Wish as CertificateWish
from sts_emulator.idp.identity_providers import Wish, assert_user, provider_arn, roles_of
from sts_emulator.idp.issuer_pages import minted
from sts_emulator.idp.presets import PRESETS
from sts_emulator.idp.user_pools import kinds, tokens
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.web import trials
from sts_emulator.web.attempts import short
from sts_emulator.web.explorer import planted
from sts_emulator.web.frame import HOME, refused, view
from sts_emulator.web.proofs import decoded
from sts_emulator.wire.http import Request, Response

MOST_ROLES: Final = 60
"""Roles of which ways in are looked for: that takes time, and others wait."""
MOST_CLAIMS: Final = 100
_MISTAKES: Final = (ValueError,)


@page("GET", "/_emulator/workbench", refusal=refused, own=True)
def show(visit: Visit) -> Response:
    """What can be made."""
    return _page(visit)


@page("POST", "/_emulator/workbench/token", refusal=refused, own=True)
async def make_token(visit: Visit) -> Response:
    """A token of a lab issuer."""
    posted = visit.posted
    try:
        token, _ = await minted(visit.world, posted.get("issuer", ""), _claims(posted.get("claims", "")))
    except _MISTAKES as wrong:
        return _page(visit, wrong=str(wrong), posted=posted)
    return _page(
        visit, made={"kind": "token", "text": token, "parts": decoded("WebIdentityToken", token)}, posted=posted
    )


@page("POST", "/_emulator/workbench/assertion", refusal=refused, own=True)
async def make_assertion(visit: Visit) -> Response:
    """A response of a lab identity provider about one of its users."""
    name, _, user = visit.posted.get("person", "").partition("/")
    idp = visit.world.get(documents.SAML_IDP, name)
    if idp is None:
        return _page(visit, wrong=f"There is no identity provider `{name[:80]}`.", posted=visit.posted)
    try:
        text = await asyncio.to_thread(assert_user, idp, user, visit.world.now(), Wish())
    except _MISTAKES as wrong:
        return _page(visit, wrong=str(wrong), posted=visit.posted)
    pairs = [f"{role},{provider_arn(idp, role)}" for role in roles_of(idp, user)]
    made = {"kind": "assertion", "text": text, "parts": decoded("SAMLAssertion", text), "pairs": pairs}
    return _page(visit, made=made, posted=visit.posted)


@page("POST", "/_emulator/workbench/certificate", refusal=refused, own=True)
async def make_certificate(visit: Visit) -> Response:
    """A certificate of a private authority of the world, with its key."""
    posted = visit.posted
    authority = visit.world.get(documents.PRIVATE_CA, posted.get("authority", ""))
    if authority is None:
        return _page(visit, wrong="There is no such private authority.", posted=posted)
    dns = tuple(filter(None, (name.strip() for name in posted.get("dns", "").split(","))))
    wish = CertificateWish(subject={"CN": posted.get("cn", "") or "workload"}, ends=timedelta(days=30), dns=dns)
    key = await asyncio.to_thread(certificates.make_key, private_ca.DEFAULT_KEY)
    try:
        pair = private_ca.issue(visit.world, authority, wish, key)
    except _MISTAKES as wrong:
        return _page(visit, wrong=str(wrong), posted=posted)
    text = certificates.certificate_pem(pair.certificate) + certificates.key_pem(pair.key)
    return _page(visit, made={"kind": "certificate", "text": text, "parts": []}, posted=posted)


@page("POST", "/_emulator/workbench/sign-in", refusal=refused, own=True)
async def sign_in(visit: Visit) -> Response:
    """What a user of a pool gets by a sign-in."""
    pool_id, _, name = visit.posted.get("user", "").partition("/")
    pool = visit.world.get(kinds.POOL, pool_id)
    user = kinds.find_user(visit.world, pool, name) if pool else None
    client = next((known for known in visit.world.page(kinds.CLIENT) if known["pool"] == pool_id), None)
    if pool is None or user is None or client is None:
        return _page(visit, wrong="There is no such user, or its pool has no app client.", posted=visit.posted)
    given = await tokens.sign_in(visit.world, tokens.Party(pool, client, user))
    text = str(given["IdToken"])
    return _page(visit, made={"kind": "id token", "text": text, "parts": decoded("IdToken", text)}, posted=visit.posted)


@page("POST", "/_emulator/workbench/use", refusal=refused, own=True)
async def use(visit: Visit) -> Response:
    """Call STS with a token or an assertion, as a client would."""
    posted = visit.posted
    given = {"Version": "2011-06-15"}
    if posted.get("kind") == "assertion":
        role, _, provider = posted.get("pair", "").partition(",")
        given |= {"Action": "AssumeRoleWithSAML", "RoleArn": role, "PrincipalArn": provider}
        given["SAMLAssertion"] = posted.get("text", "")
    else:
        given |= {"Action": "AssumeRoleWithWebIdentity", "RoleArn": posted.get("role", "")}
        given |= {"RoleSessionName": "workbench", "WebIdentityToken": posted.get("text", "")}
    return render.redirect(f"{visit.root}{HOME}/attempts/{await _called(visit, given)}")


@page("POST", "/_emulator/workbench/try", refusal=refused, own=True)
def attempt(visit: Visit) -> Response:
    """Make the request of an expectation in this world."""
    planted(visit)
    text = visit.posted.get("expectation", "")
    try:
        identifier = trials.tried(visit, text)
    except _MISTAKES as wrong:
        return _page(visit, wrong=str(wrong), posted=visit.posted)
    return render.redirect(f"{visit.root}{HOME}/attempts/{identifier}")


async def _called(visit: Visit, given: Mapping[str, str]) -> str:
    """Make a call in this world; its request id."""
    source = visit.request
    request = Request(
        method="POST",
        raw_path="/",
        signed_path=f"{visit.root}/",
        headers={
            "host": source.headers.get("host", ""),
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            "user-agent": source.headers.get("user-agent", ""),
        },
        body=urlencode(given).encode(),
        client=source.client,
        scheme=source.scheme,
    )
    answer = handle(visit.server, visit.world, request, visit.base_url)
    response = answer if isinstance(answer, Response) else await answer
    return next(value for name, value in response.headers if name.lower() == "x-amzn-requestid")


def _claims(text: str) -> dict[str, Any]:
    """`name = value` a line; a value may be JSON."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_CLAIMS:
        raise ValueError(f"more than {MOST_CLAIMS} claims")
    claims: dict[str, Any] = {}
    for line in lines:
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not name:
            raise ValueError(f"`{line[:120]}`: write `name = value`")
        try:
            claims[name] = json.loads(value)
        except (ValueError, RecursionError):
            claims[name] = value
    return claims


# -- the page --------------------------------------------------------------------------------------------------------


def _page(
    visit: Visit, *, wrong: str = "", made: Mapping[str, Any] | None = None, posted: Mapping[str, str] | None = None
) -> Response:
    planted(visit)
    world, estate = visit.world, Estate((), visit.world)
    issuers = {
        known["name"]: known["preset"] for known in world.page(documents.ISSUER) if known.get("preset") in PRESETS
    }
    issuers |= {name: name for name in PRESETS if name not in issuers}
    center = next(iter(directory.instances(world)), None)
    return view(
        visit,
        "workbench.html",
        "workbench",
        status=400 if wrong else 200,
        wrong=wrong,
        made=made,
        posted=posted or {},
        presets=list(_presets(visit, estate)),
        issuers=list(issuers),
        options={name: _options(preset) for name, preset in issuers.items()},
        idps=[(idp["name"], sorted(idp["users"])) for idp in world.page(documents.SAML_IDP)],
        authorities=[authority["arn"] for authority in world.page(documents.PRIVATE_CA)],
        pool_users=[
            (pool["name"], f"{pool['id']}/{user['username']}", user["username"])
            for pool in world.page(kinds.POOL)
            for user in world.page(kinds.USER, f"{pool['id']}/")[:50]
        ],
        people=[person["name"] for person in world.page(directory.USERS, f"{center['store']}/")][:50] if center else [],
        roles=list(estate.roles),
    )


def _options(preset: str) -> str:
    return "\n".join(
        f"{name} = {_written(value)}" for name, value in PRESETS[preset].options.items() if value is not None
    )


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _presets(visit: Visit, estate: Estate) -> Iterator[tuple[str, str]]:
    """(words, expectation) of each way into a role: the smallest request that gets in."""
    reach = Reach(estate)
    for arn in list(estate.roles)[:MOST_ROLES]:
        for step in reach.into(arn):
            text = trials.written(visit.world, step, estate)
            if text:
                who = step.whom or short(step.who)
                yield f"{who} becomes {arn.partition(':role/')[2]} ({arn.split(':')[4]})", text
