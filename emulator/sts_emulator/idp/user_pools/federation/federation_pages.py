"""Pages `oauth2/idpresponse` and `saml2/idpresponse`: a person comes back from an identity provider."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import joining
from sts_emulator.idp.user_pools.federation import asking, federated_users, inbound, oidc_answers, saml_answers
from sts_emulator.idp.user_pools.federation.inbound import Proof
from sts_emulator.idp.user_pools.kinds import IdentityProvider, PoolUser
from sts_emulator.idp.user_pools.managed_login import authorization, login_steps
from sts_emulator.idp.user_pools.managed_login.authorization import Asked, Sent, as_login
from sts_emulator.idp.user_pools.managed_login.login_sessions import Present
from sts_emulator.idp.user_pools.triggers.firing import Occasion
from sts_emulator.methods.saml.assertion_refusals import Refused
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Attempt, Visit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.wire.http import Response, form

_LONGEST: Final = 100_000  # characters of a response
_LATE: Final = "This sign-in was not begun in this browser, or took too long. Go back to the app and try again."


@page("GET", "/oauth2/idpresponse", refusal=as_login, foreign=True)
async def take_code(visit: Visit) -> Response:
    """An OIDC provider's code, or why there is none."""
    query = visit.query
    question = _question(visit, query.get("state", ""))
    asked, provider = _resumed(visit, question)
    if "code" not in query:
        error = query.get("error_description") or query.get("error") or "no code"
        raise asked.refused("invalid_request", f"{provider['name']}: {error[:200]}")

    async def prove(attempt: Attempt) -> Proof:
        code, nonce = query["code"], question["nonce"]
        return await oidc_answers.prove(visit, attempt.ctx, provider, code, nonce)

    return await _signed_in(visit, asked, provider, "OAuth2Response_GET", prove)


@page("POST", "/saml2/idpresponse", refusal=as_login, foreign=True)
async def take_response(visit: Visit) -> Response:
    """A SAML provider's response, asked for by this browser, or begun at the provider where the pool lets it.

    A browser keeps our cookie to itself when another site's page posts here, so it is first made to post once more
    from a page of ours.
    """
    fields = visit.posted
    text, relay_state = fields.get("SAMLResponse", ""), fields.get("RelayState", "")
    if len(text) > _LONGEST:
        raise AwsError("Refused", "The response is too large.", status=400)
    is_answer = relay_state.startswith("_")
    if is_answer and not asking.asks(visit) and "again" not in fields:
        return render.page(
            "post.html",
            visit.root,
            posts_to=authorization.app_origins(visit.world),
            place="Managed login",
            action=f"{visit.root}{asking.SAML_PLACE}",
            response=text,
            relay_state=relay_state,
            again=True,
        )
    number = relay_state if is_answer else ""
    asked, provider = _resumed(visit, _question(visit, number)) if is_answer else _begun_there(visit, relay_state)

    async def prove(_: Attempt) -> Proof:
        place = f"{visit.base_url}{asking.SAML_PLACE}"
        claims = await saml_answers.prove(visit.world, asked.pool, provider, text, place)
        saml_answers.use(visit.world, claims, number)
        said = {"samlResponse": dict(claims.attributes)}
        return Proof(claims.subject, claims.attributes, said, saml_answers.vouched(provider, claims))

    return await _signed_in(visit, asked, provider, "SAML2Response_POST", prove)


async def _signed_in(
    visit: Visit, asked: Asked, provider: IdentityProvider, operation: str, prove: Callable[[Attempt], Awaitable[Proof]]
) -> Response:
    try:
        with visit.attempt("cognito-idp", operation, asked.parameters()) as attempt:
            evidence = attempt.ctx.evidence
            evidence.update(pool=asked.pool["id"], provider=provider["name"])
            try:
                proof = await prove(attempt)
            except Refused as no:
                evidence["refused"] = no.why
                raise
            occasion = Occasion(attempt.ctx, asked.pool, asked.client["id"])
            claims = await inbound.transformed(occasion, provider, proof)
            user = await _arrived(occasion, provider, proof.subject, claims)
            evidence["person"] = user["username"]
            return await login_steps.enter(visit, attempt.ctx, asked, Present(user, visit.world.now(), proof.vouched))
    except Sent:
        raise
    except AwsError as refusal:
        raise asked.refused("invalid_request", asking.refusal_of(refusal, provider["name"])) from None


async def _arrived(occasion: Occasion, provider: IdentityProvider, subject: str, claims: JsonObject) -> PoolUser:
    """The user; the pool's functions are asked before the first time, and told after it. Raises AwsError."""
    world, pool = occasion.ctx.world, occasion.pool
    is_new = federated_users.newcomer(world, pool, provider, subject, claims)
    if is_new is not None:
        await joining.before_external(occasion, *is_new)
    with world.unit(lock=True):
        user = federated_users.arrive(world, pool, provider, subject, claims)
    if is_new is not None:
        await joining.after_confirmation(occasion, user, joining.SIGNED_UP, None)
    return user


def _question(visit: Visit, number: str) -> asking.Question:
    return required(asking.take(visit, number), AwsError("Refused", _LATE, status=403))


def _resumed(visit: Visit, question: asking.Question) -> tuple[Asked, IdentityProvider]:
    """What the app asked, read again: its client may have been changed meanwhile."""
    asked = authorization.read(visit, question["given"])
    return asked, _allowed(visit, asked, question["provider"])


def _begun_there(visit: Visit, relay_state: str) -> tuple[Asked, IdentityProvider]:
    """A sign-in that began at a provider: its RelayState says for which app, as an app itself would."""
    given = form(relay_state) if "client_id=" in relay_state else {}
    if not given:
        raise AwsError("Refused", _LATE, status=403)
    asked = authorization.read(visit, given)
    provider = _allowed(visit, asked, given.get("identity_provider", ""))
    if provider["details"].get("IDPInit", "false").lower() != "true":
        raise asked.refused("invalid_request", f"{provider['name']} may not begin sign-ins (IDPInit).")
    return asked, provider


def _allowed(visit: Visit, asked: Asked, name: str) -> IdentityProvider:
    provider = asking.named(visit.world, asked.pool, name)
    if provider is None or name not in authorization.providers(asked.client):
        raise asked.refused("invalid_request", "The identity provider is none of this client's.")
    return provider
