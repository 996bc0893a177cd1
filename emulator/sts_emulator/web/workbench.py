"""The workbench: tokens, assertions, certificates and sign-ins made by a click, and tried on any role."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sts_emulator.accounts import anywhere, directory, documents
from sts_emulator.analysis.estate import Estate
from sts_emulator.core.errors import AwsError
from sts_emulator.idp import certificates, private_ca
from sts_emulator.idp.certificates import Wish as CertificateWish
from sts_emulator.idp.identity_providers import Wish, assert_user, provider_arn
from sts_emulator.idp.issuer_pages import minted
from sts_emulator.idp.presets import PRESETS
from sts_emulator.idp.user_pools import kinds, token_page, tokens
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.arns import account_in
from sts_emulator.web import front_door, one_click, trials
from sts_emulator.web.explorer import planted
from sts_emulator.web.frame import HOME, refused, view
from sts_emulator.web.front_door import Holder
from sts_emulator.web.proofs import certificate_part, decoded
from sts_emulator.wire.http import Response

MOST_CLAIMS: Final = 100
SHOWN: Final = 300
"""Roles, and things of other kinds, among which one is chosen."""
_MISTAKES: Final = (ValueError,)
_DAYS: Final = timedelta(days=30)


@page("GET", "/_emulator/workbench", refusal=refused, own=True)
def show(visit: Visit) -> Response:
    """What can be made."""
    return _page(visit)


@page("POST", "/_emulator/workbench/token", refusal=refused, own=True)
async def make_token(visit: Visit) -> Response:
    """A token of a lab issuer."""
    posted = visit.posted
    try:
        token, _ = await minted(visit.world, posted.get("issuer", ""), _pairs(posted.get("claims", ""), typed=True))
    except _MISTAKES as wrong:
        return _page(visit, wrong=str(wrong))
    return _page(visit, made={"kind": "token", "text": token, "parts": decoded("WebIdentityToken", token)})


@page("POST", "/_emulator/workbench/assertion", refusal=refused, own=True)
async def make_assertion(visit: Visit) -> Response:
    """A response of a lab identity provider about one of its users."""
    name, _, user = visit.posted.get("person", "").partition("/")
    idp = visit.world.get(documents.SAML_IDP, name)
    if idp is None:
        return _page(visit, wrong=f"There is no identity provider `{name[:80]}`.")
    try:
        text = await asyncio.to_thread(assert_user, idp, user, visit.world.now(), Wish())
    except _MISTAKES as wrong:
        return _page(visit, wrong=str(wrong))
    parts = decoded("SAMLAssertion", text)
    return _page(visit, made={"kind": "assertion", "text": text, "parts": parts, "idp": name})


@page("POST", "/_emulator/workbench/certificate", refusal=refused, own=True)
async def make_certificate(visit: Visit) -> Response:
    """A certificate of a private authority of the world, with its key; or what was made elsewhere and is pasted."""
    posted = visit.posted
    try:
        pem = posted["pem"] if posted.get("pem", "").strip() else await _certified(visit, posted)
        holder = await asyncio.to_thread(Holder.of, pem)
    except _MISTAKES as wrong:
        return _page(visit, wrong=str(wrong))
    return _page(visit, made={"kind": "certificate", "text": pem, "parts": [certificate_part(holder.chain[0])]})


async def _certified(visit: Visit, posted: Mapping[str, str]) -> str:
    authority = visit.world.get(documents.PRIVATE_CA, posted.get("authority", ""))
    if authority is None:
        raise ValueError("There is no such private authority.")
    subject = _pairs(posted.get("subject", ""), typed=False) or {"CN": "workload"}
    dns, uris = (_listed(posted.get(name, "")) for name in ("dns", "uri"))
    key = await asyncio.to_thread(certificates.make_key, private_ca.DEFAULT_KEY)
    pair = private_ca.issue(
        visit.world, authority, CertificateWish(subject=subject, ends=_DAYS, dns=dns, uris=uris), key
    )
    return certificates.certificate_pem(pair.certificate) + certificates.key_pem(pair.key)


@page("POST", "/_emulator/workbench/person", refusal=refused, own=True)
async def sign_in_person(visit: Visit) -> Response:
    """The access token of a person of Identity Center, for whom the click stands instead of a password."""
    planted(visit)
    person, start_url = visit.posted.get("person", ""), visit.posted.get("start_url", "")
    try:
        token = await front_door.portal_token(visit, start_url, person)
    except AwsError as wrong:
        return _page(visit, wrong=wrong.message)
    made = {"kind": "access token", "text": token, "parts": [], "person": person, "sets": _sets(visit, person)}
    return _page(visit, made=made)


@page("POST", "/_emulator/workbench/sign-in", refusal=refused, own=True)
async def sign_in(visit: Visit) -> Response:
    """What a user of a pool gets by a sign-in."""
    pool_id, _, name = visit.posted.get("user", "").partition("/")
    pool = visit.world.get(kinds.POOL, pool_id)
    user = kinds.find_user(visit.world, pool, name) if pool else None
    client = next((known for known in visit.world.page(kinds.CLIENT) if known["pool"] == pool_id), None)
    if pool is None or user is None or client is None:
        return _page(visit, wrong="There is no such user, or its pool has no app client.")
    try:
        given = await token_page.given(visit, tokens.Party(pool, client, user))
    except AwsError as wrong:
        return _page(visit, wrong=wrong.message)
    text = str(given["IdToken"])
    provider = f"cognito-idp.{pool['region']}.amazonaws.com/{pool_id}"
    pools = [(known["id"], known["settings"]["IdentityPoolName"]) for known in _pools_of(visit, provider)]
    made = {"kind": "id token", "text": text, "parts": decoded("IdToken", text), "provider": provider, "pools": pools}
    return _page(visit, made=made)


@page("POST", "/_emulator/workbench/use", refusal=refused, own=True)
async def use(visit: Visit) -> Response:
    """Make the call that a client would make with what was made."""
    posted = visit.posted
    role, text = posted.get("role", ""), posted.get("text", "")
    try:
        if posted.get("kind") == "certificate":
            holder = await asyncio.to_thread(Holder.of, text)
            anchor, profile = posted.get("anchor", ""), posted.get("profile", "")
            response = await front_door.create_session(visit, holder, anchor, profile, role)
        elif posted.get("kind") == "assertion":
            response = await front_door.sts(
                visit,
                Action="AssumeRoleWithSAML",
                RoleArn=role,
                PrincipalArn=_provider(visit, posted.get("idp", ""), role),
                SAMLAssertion=text,
            )
        elif posted.get("kind") == "access token":
            account, _, name = posted.get("set", "").partition("/")
            response = await front_door.role_credentials(visit, text, account, name)
        elif posted.get("pool"):
            response = await front_door.pool_credentials(visit, posted["pool"], posted.get("provider", ""), text)
        else:
            response = await front_door.sts(
                visit,
                Action="AssumeRoleWithWebIdentity",
                RoleArn=role,
                RoleSessionName="workbench",
                WebIdentityToken=text,
            )
    except _MISTAKES as wrong:
        return _page(visit, wrong=str(wrong))
    return render.redirect(f"{visit.root}{HOME}/attempts/{front_door.attempt_of(response)}")


def _provider(visit: Visit, name: str, role: str) -> str:
    """The SAML provider of the role's account behind which an identity provider stands."""
    idp = visit.world.get(documents.SAML_IDP, name)
    return provider_arn(idp, role) if idp is not None and account_in(role) else ""


@page("POST", "/_emulator/workbench/try", refusal=refused, own=True)
def attempt(visit: Visit) -> Response:
    """Make the request of an expectation in this world."""
    planted(visit)
    try:
        identifier = trials.tried(visit, visit.posted.get("expectation", ""))
    except _MISTAKES as wrong:
        return _page(visit, wrong=str(wrong))
    return render.redirect(f"{visit.root}{HOME}/attempts/{identifier}")


def _pairs(text: str, *, typed: bool) -> dict[str, Any]:
    """`name = value` a line; where they are `typed`, a value may be JSON. Of one name the last counts, lists apart."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_CLAIMS:
        raise ValueError(f"more than {MOST_CLAIMS} lines")
    pairs: dict[str, Any] = {}
    for line in lines:
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not name:
            raise ValueError(f"`{line[:120]}`: write `name = value`")
        pairs[name] = value
        if typed or value.startswith("["):
            try:
                pairs[name] = json.loads(value)
            except (ValueError, RecursionError):
                pairs[name] = value
    return pairs


def _listed(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


# -- the page --------------------------------------------------------------------------------------------------------


def _page(visit: Visit, *, wrong: str = "", made: Mapping[str, Any] | None = None) -> Response:
    planted(visit)
    world, estate = visit.world, Estate((), visit.world)
    issuers = {
        known["name"]: known["preset"] for known in world.page(documents.ISSUER) if known.get("preset") in PRESETS
    }
    issuers |= {name: name for name in PRESETS if name not in issuers}
    return view(
        visit,
        "workbench.html",
        "workbench",
        status=400 if wrong else 200,
        wrong=wrong,
        made=made,
        posted=visit.posted if visit.request.method == "POST" else {},
        groups=list(one_click.groups(world, estate)),
        issuers=list(issuers),
        options={name: one_click.lines(PRESETS[preset].options) for name, preset in issuers.items()},
        idps=[(idp["name"], sorted(idp["users"])) for idp in world.page(documents.SAML_IDP)],
        authorities=[authority["arn"] for authority in world.page(documents.PRIVATE_CA)],
        anchors=list(map(_named, world.page(anywhere.TRUST_ANCHOR, limit=SHOWN))),
        profiles=list(map(_named, world.page(anywhere.ANYWHERE_PROFILE, limit=SHOWN))),
        pool_users=[
            (pool["name"], f"{pool['id']}/{user['username']}", user["username"])
            for pool in world.page(kinds.POOL)
            for user in world.page(kinds.USER, f"{pool['id']}/")[:50]
        ],
        people=[
            (person["name"], center["start_url"])
            for center in directory.instances(world)
            for person in world.page(directory.USERS, f"{center['store']}/", limit=50)
        ],
        roles=_roles(estate, made),
        account=next((account["id"] for account in world.page(documents.ACCOUNT, limit=1)), "111122223333"),
    )


def _roles(estate: Estate, made: Mapping[str, Any] | None) -> list[str]:
    """All roles, first those that what was made is about."""
    roles = list(estate.roles)[:SHOWN]
    wanted = "" if made is None else {"certificate": "rolesanywhere.amazonaws.com"}.get(made["kind"], "")
    return sorted(roles, key=lambda arn: wanted not in estate.shown_text(estate.roles[arn])) if wanted else roles


def _pools_of(visit: Visit, provider: str) -> list[documents.IdentityPool]:
    """The identity pools that take sign-ins of a user pool."""
    return [
        known
        for known in visit.world.page(documents.IDENTITY_POOL)
        if any(
            listed.get("ProviderName") == provider for listed in known["settings"].get("CognitoIdentityProviders", [])
        )
    ]


def _sets(visit: Visit, name: str) -> list[tuple[str, str]]:
    """(value, words) of every permission set in every account, first those that a person has."""
    sets: dict[str, str] = {}
    for center in directory.instances(visit.world):
        known = {listed["arn"]: listed["name"] for listed in directory.permission_sets(visit.world, center)}
        person = directory.user_by_name(visit.world, center["store"], name)
        if person is not None:
            assigned = directory.assignments_of(visit.world, center, person)
            sets |= dict.fromkeys(sorted(f"{had['account']}/{known[had['permission_set']]}" for had in assigned), "")
        for account in visit.world.page(documents.ACCOUNT):
            for title in known.values():
                sets.setdefault(f"{account['id']}/{title}", " (not assigned)")
    return [(value, value + told) for value, told in sets.items()][:SHOWN]


def _named(resource: Mapping[str, Any]) -> tuple[str, str]:
    return resource["arn"], f"{resource['name']} ({account_in(resource['arn'])})"
