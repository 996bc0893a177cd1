"""Page `saml`, as signin.aws.amazon.com/saml is: a response becomes a console session, or a choice of roles."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.methods.saml import message, operation
from sts_emulator.methods.saml.claims import ROLE_ATTRIBUTE, Claims, attributes_of, split_pair
from sts_emulator.methods.saml.message import Message
from sts_emulator.methods.saml.refusals import Refused, malformed, missing_pair
from sts_emulator.methods.saml.verify import Trusted, check_audience, verify
from sts_emulator.vending import authenticate
from sts_emulator.vending.assume import Ask
from sts_emulator.vending.console import ConsoleSession, landing, sign_out_header
from sts_emulator.vending.context import Context, Visit
from sts_emulator.vending.record import new_request_id, record
from sts_emulator.wire import pages
from sts_emulator.wire.http import Response

CONSOLE = "https://console.aws.amazon.com/console/home"
MAX_PROVIDERS = 50
"""Providers that one response is checked against: an assertion may hold roles in as many accounts."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A role that a verified assertion offers, and who vouches for it."""

    role: str
    provider: Trusted
    claims: Claims


async def respond(visit: Visit) -> Response:
    """Answer a browser that comes from its identity provider, or back from the choice of roles."""
    if visit.request.method != "POST":
        return _error(visit, 405, "Post a SAMLResponse to this address, or sign in at an identity provider.")
    fields = pages.posted(visit.request)
    try:
        offers = await _offers(visit, fields.get("SAMLResponse", ""))
    except AwsError as no:
        return _refusal(visit, no, fields)
    asked = fields.get("roleIndex", "")
    if not asked and len({offer.role for offer in offers}) > 1:
        return _chooser(visit, offers, fields)
    chosen = next((offer for offer in offers if offer.role == asked or not asked), None)
    if chosen is None:
        return _refusal(visit, missing_pair(f"role `{asked[:200]}` is not offered"), fields)
    return _enter(visit, chosen, fields.get("RelayState", ""))


async def _offers(visit: Visit, text: str) -> list[Offer]:
    """The roles that the response offers, each by a provider that verifies it.

    Raises:
        Refused: there is none; why the first provider refused.
    """
    response = await asyncio.to_thread(message.read, text)
    providers = _candidates(visit, response)
    if not providers:
        raise malformed("no SAML provider of this world is in the Role attribute")
    now, sign_in = visit.world.now(), f"{visit.base_url}/saml"
    return await asyncio.to_thread(_verified, providers, response, now, sign_in)


def _candidates(visit: Visit, response: Message) -> list[Trusted]:
    """The providers to verify with. What names them is not proven yet: it decides whom to ask, and nothing else."""
    kind, _, identifier = visit.path.partition("/")
    if kind == "acs":
        found = (each for each in visit.world.page("saml-provider") if each["uuid"] == identifier)
        return [Trusted.of(each) for each in found]
    if response.assertion is None:
        raise malformed("an encrypted assertion must be posted to its provider's own address, saml/acs/ID")
    values = attributes_of(response.assertion).get(ROLE_ATTRIBUTE, ())
    named = dict.fromkeys(pair[1] for value in values if (pair := split_pair(value)))
    stored = (visit.world.find("saml-provider", arn) for arn in list(named)[:MAX_PROVIDERS])
    return [Trusted.of(each) for each in stored if each is not None]


def _verified(providers: Iterable[Trusted], response: Message, now: float, sign_in: str) -> list[Offer]:
    offers: list[Offer] = []
    refusal: Refused | None = None
    for provider in providers:
        try:
            claims = verify(provider, response, now, sign_in)
            check_audience(claims, sign_in)
        except Refused as no:
            refusal = refusal or no
            continue
        offers += [Offer(role, provider, claims) for role, arn in claims.roles if arn == provider.arn]
    if not offers:
        raise refusal or missing_pair("no role for its provider")
    return offers


# -- what the browser sees ----------------------------------------------------------------------------------------


def _chooser(visit: Visit, offers: list[Offer], fields: Mapping[str, str]) -> Response:
    by_account: dict[str, list[dict[str, str]]] = {}
    for role in dict.fromkeys(offer.role for offer in offers):
        by_account.setdefault(role.split(":")[4], []).append({"arn": role, "name": role.partition(":role/")[2]})
    shown = {_label(visit.world, account): roles for account, roles in sorted(by_account.items())}
    # gimme-aws-creds reads this table from the page when it is there (docs/aws/saml.md, "Browser flow").
    table = {"roles_accounts": {label: [role["arn"] for role in roles] for label, roles in shown.items()}}
    root = pages.root_of(visit.base_url)
    return pages.page(
        "roles.html",
        root,
        action=f"{root}/saml{'/' + visit.path if visit.path else ''}",
        accounts=[{"label": label, "roles": roles} for label, roles in shown.items()],
        data=base64.b64encode(json.dumps(table).encode()).decode(),
        subject=offers[0].claims.subject,
        response=fields.get("SAMLResponse", ""),
        relay_state=fields.get("RelayState", ""),
    )


def _label(world: World, account: str) -> str:
    alias = (world.get("account", account) or {}).get("alias")
    return f"{alias} ({account})" if alias else account


def _enter(visit: Visit, offer: Offer, relay_state: str) -> Response:
    ctx = _context(visit, "sts", "AssumeRoleWithSAML")
    ctx.parameters = {"RoleArn": offer.role, "PrincipalArn": offer.provider.arn}
    try:
        # In the console SessionDuration is the length of the session, as in an API call DurationSeconds is.
        ask = Ask.of_call(offer.role, DurationSeconds=offer.claims.session_duration)
        vended = operation.vend(ctx, offer.provider, offer.claims, ask)
    except AwsError as no:
        record(ctx, error=no)
        return _denial(visit, no)
    record(ctx, {**vended.to_wire(), **operation.described(offer.provider, offer.claims)})
    login = _context(visit, "signin", "ConsoleLogin")
    login.caller = authenticate.caller_of_session(visit.world, vended.session, vended.credentials.access_key_id)
    login.evidence = {"LoginTo": relay_state or CONSOLE, "SamlProviderArn": offer.provider.arn}
    record(login, {"ConsoleLogin": "Success"})
    return landing(
        visit,
        ConsoleSession(vended.session, vended.session.expires),
        credentials=vended.credentials,
        about={"Subject": offer.claims.subject, "Provider": offer.provider.arn, "Issuer": offer.claims.issuer},
        destination=relay_state,
        sign_in=True,
    )


def _context(visit: Visit, service: str, name: str) -> Context:
    request = visit.request
    return Context(
        server=visit.server,
        world=visit.world,
        service=service,
        operation=name,
        request_id=new_request_id(),
        region=visit.server.settings.region,
        source_ip=request.client,
        user_agent=request.headers.get("user-agent", ""),
        secure=request.scheme == "https",
        request=request,
        base_url=visit.base_url,
    )


def _refusal(visit: Visit, no: AwsError, fields: Mapping[str, str]) -> Response:
    """A response that proves nothing: AWS's page says no more than that; the event does.

    Source: docs/aws/saml.md, "Errors".
    """
    ctx = _context(visit, "sts", "AssumeRoleWithSAML")
    ctx.parameters = {"RoleArn": fields["roleIndex"][:2048]} if "roleIndex" in fields else {}
    if isinstance(no, Refused):
        ctx.evidence["refused"] = no.why
    record(ctx, error=no)
    return _error(visit, 400, no.message, code=no.code, invalid=True)


def _denial(visit: Visit, no: AwsError) -> Response:
    return _error(visit, no.status or 400, no.message, code=no.code)


def _error(visit: Visit, status: int, sentence: str, *, code: str = "", invalid: bool = False) -> Response:
    return pages.page(
        "refused.html",
        pages.root_of(visit.base_url),
        status=status,
        headers=[sign_out_header(visit)] if invalid else [],
        sentence=sentence,
        code=code,
        invalid=invalid,
    )
