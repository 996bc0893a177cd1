"""Page `saml`, as signin.aws.amazon.com/saml is: a response becomes a console session, or a choice of roles."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable, Mapping

from sts_emulator.accounts import documents
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.methods.saml import assume_role_with_saml, message
from sts_emulator.methods.saml.assertion_refusals import Refused, malformed, missing_pair
from sts_emulator.methods.saml.claims import ROLE_ATTRIBUTE, Claims, attributes_of, split_pair
from sts_emulator.methods.saml.message import Message
from sts_emulator.methods.saml.verify import Trusted, check_audience, verify
from sts_emulator.pages import render
from sts_emulator.pages.console import COOKIE, landing, of_role
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending import authenticate
from sts_emulator.vending.assume import Ask
from sts_emulator.wire.http import Response

CONSOLE = "https://console.aws.amazon.com/console/home"
MAX_PROVIDERS = 50
"""Providers that one response is checked against: an assertion may hold roles in as many accounts."""


_CALL = ("sts", "AssumeRoleWithSAML")


@dataclass(frozen=True, slots=True)
class Offer:
    """A role that a verified assertion offers, and who vouches for it."""

    role: str
    provider: Trusted
    claims: Claims


def _refusal(visit: Visit, no: AwsError) -> Response:
    """A response that proves nothing: AWS's page says no more than that; the event does.

    Source: docs/aws/saml.md, "Errors".
    """
    if not isinstance(no, Refused):
        return as_page(visit, no)
    taken = [COOKIE.take(visit)]
    return render.page(
        "refused.html", visit.root, status=400, headers=taken, sentence=no.message, code=no.code, invalid=True
    )


@page("GET", "/saml", refusal=as_page)
@page("GET", "/saml/acs/{identifier}", refusal=as_page)
def nothing_posted(_: Visit, **_place: str) -> Response:
    raise AwsError("Refused", "Post a SAMLResponse to this address, or sign in at an identity provider.", status=405)


@page("POST", "/saml", refusal=_refusal, foreign=True)
@page("POST", "/saml/acs/{identifier}", refusal=_refusal, foreign=True)
async def sign_in(visit: Visit, identifier: str = "") -> Response:
    """Answer a browser that comes from its identity provider, or back from the choice of roles."""
    fields = visit.posted
    asked = fields.get("roleIndex")
    offers, chosen = await _proven(visit, fields.get("SAMLResponse", ""), identifier, asked)
    if chosen is None:
        return _chooser(visit, offers, fields)
    return _enter(visit, chosen, fields.get("RelayState", ""))


async def _proven(visit: Visit, text: str, identifier: str, asked: str | None) -> tuple[list[Offer], Offer | None]:
    """The roles that a response offers, and the one to enter: the role that is asked for, or the only one.

    Raises:
        AwsError: the response proves nothing, or not that role. That is an event.
    """
    try:
        offers = await _offers(visit, text, identifier)
        if not asked and len({offer.role for offer in offers}) > 1:
            return offers, None
        chosen = next((offer for offer in offers if offer.role == asked or not asked), None)
        if chosen is None:
            raise missing_pair(f"role `{(asked or '')[:200]}` is not offered")
    except AwsError as no:
        with visit.attempt(*_CALL, {} if asked is None else {"RoleArn": asked[:2048]}) as attempt:
            if isinstance(no, Refused):
                attempt.ctx.evidence["refused"] = no.why
            raise
    return offers, chosen


async def _offers(visit: Visit, text: str, identifier: str) -> list[Offer]:
    """The roles that the response offers, each by a provider that verifies it.

    Raises:
        Refused: there is none; why the first provider refused.
    """
    response = await asyncio.to_thread(message.read, text)
    providers = _candidates(visit, response, identifier)
    if not providers:
        raise malformed("no SAML provider of this world is in the Role attribute")
    now, sign_in = visit.world.now(), f"{visit.base_url}/saml"
    return await asyncio.to_thread(_verified, providers, response, now, sign_in)


def _candidates(visit: Visit, response: Message, identifier: str) -> list[Trusted]:
    """The providers to verify with. What names them is not proven yet: it decides whom to ask, and nothing else."""
    if identifier:
        providers = visit.world.page(documents.SAML_PROVIDER)
        return [Trusted.of(provider) for provider in providers if provider["uuid"] == identifier]
    if response.assertion is None:
        raise malformed("an encrypted assertion must be posted to its provider's own address, saml/acs/ID")
    values = attributes_of(response.assertion).get(ROLE_ATTRIBUTE, ())
    named = dict.fromkeys(pair[1] for value in values if (pair := split_pair(value)))
    stored = (visit.world.find(documents.SAML_PROVIDER, arn) for arn in list(named)[:MAX_PROVIDERS])
    return [Trusted.of(provider) for provider in stored if provider is not None]


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
        by_account.setdefault(account_in(role), []).append({"arn": role, "name": role.partition(":role/")[2]})
    shown = {_label(visit.world, account): roles for account, roles in sorted(by_account.items())}
    # gimme-aws-creds reads this table from the page when it is there (docs/aws/saml.md, "Browser flow").
    table = {"roles_accounts": {label: [role["arn"] for role in roles] for label, roles in shown.items()}}
    return render.page(
        "roles.html",
        visit.root,
        action=visit.request.signed_path,
        accounts=[{"label": label, "roles": roles} for label, roles in shown.items()],
        data=base64.b64encode(json.dumps(table).encode()).decode(),
        subject=offers[0].claims.subject,
        response=fields.get("SAMLResponse", ""),
        relay_state=fields.get("RelayState", ""),
    )


def _label(world: World, account: str) -> str:
    known = world.get(documents.ACCOUNT, account)
    return f"{known['alias']} ({account})" if known and known["alias"] else account


def _enter(visit: Visit, offer: Offer, relay_state: str) -> Response:
    with visit.attempt(*_CALL, {"RoleArn": offer.role, "PrincipalArn": offer.provider.arn}) as attempt:
        # In the console SessionDuration is the length of the session, as in an API call DurationSeconds is.
        ask = Ask("", offer.claims.session_duration, role_arn=offer.role)
        vended = assume_role_with_saml.vend(attempt.ctx, offer.provider, offer.claims, ask)
        attempt.result = assume_role_with_saml.described(vended, offer.provider, offer.claims)
    with visit.attempt("signin", "ConsoleLogin") as login:
        key_id = vended.credentials.access_key_id
        login.ctx.caller = authenticate.caller_of_session(visit.world, vended.session, key_id)
        login.ctx.evidence |= {"LoginTo": relay_state or CONSOLE, "SamlProviderArn": offer.provider.arn}
        login.result = {"ConsoleLogin": "Success"}
    return landing(
        visit,
        of_role(visit.world, vended.session, vended.session.expires),
        credentials=vended.credentials,
        about={"Subject": offer.claims.subject, "Provider": offer.provider.arn, "Issuer": offer.claims.issuer},
        destination=relay_state,
        sign_in=True,
    )
