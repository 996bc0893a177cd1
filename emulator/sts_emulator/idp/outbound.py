"""Outbound federation: STS signs a token that says who the caller is, for others to verify (GetWebIdentityToken)."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from unicodedata import category

from sts_emulator.accounts import documents, organizations
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import AlreadyExistsError, Kind
from sts_emulator.core.world import World
from sts_emulator.idp import keys
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.authorize import access_denied, authorize
from sts_emulator.vending.context import Caller, Context
from sts_emulator.vending.origin import Origin, known
from sts_emulator.vending.tags import tag_keys, tag_map
from sts_emulator.wire.dispatch import Result, operation
from sts_emulator.wire.http import Response

DEFAULT_DURATION = 300
KEY_IDS = {"RS256": "RSA_0", "ES384": "EC384_0"}
ALGORITHMS = tuple(KEY_IDS)
MAX_PAYLOAD = 16_384  # bytes of claims; AWS does not publish its own limit
PAGE = "outbound"
ORIGIN: Final = "OriginIdentity"
KIND: Final[Kind[keys.Key]] = Kind("outbound-keys")  # key: `ISSUER/algorithm`


@operation("sts", "GetWebIdentityToken")
async def get_web_identity_token(
    ctx: Context,
    *,
    Audience: list[str],
    SigningAlgorithm: str,
    DurationSeconds: int = DEFAULT_DURATION,
    Tags: list[Mapping[str, str]] | None = None,
    Scope: str = "",
    SubjectMode: str = "AWSIdentity",
) -> Result:
    """Sign a token for the caller. Source: docs/aws/web-identity.md, "GetWebIdentityToken"."""
    caller, moment = ctx.identity, ctx.world.now()
    now = int(moment)
    tags = tag_map(Tags)
    if SigningAlgorithm not in ALGORITHMS:
        raise AwsError(
            "ValidationError",
            "Requested SigningAlgorithm is not supported. See the GetWebIdentityToken documentation for supported "
            "algorithms",
        )
    origin = _origin(caller) if SubjectMode == ORIGIN else None
    if Scope:
        _check_scope(Scope, Audience, origin)
    _permit(ctx, Audience, SigningAlgorithm, DurationSeconds, tags, SubjectMode, Scope)
    account = ctx.world.get(documents.ACCOUNT, caller.account)
    if account is None or not account.get("outbound_enabled"):
        raise AwsError(
            "OutboundWebIdentityFederationDisabledException",
            "OutboundWebIdentityFederation is disabled.",
            status=403,
        )
    expires = now + DurationSeconds
    if caller.session is not None and expires > caller.session.expires:
        raise AwsError(
            "SessionDurationEscalationException",
            "The requested token duration extends beyond the session that requests it.",
            status=403,
        )
    claims = {
        "iss": f"{ctx.base_url}/{PAGE}/{account['outbound_issuer']}",
        "sub": _subject(origin) if origin else caller.context["aws:principalarn"][0],
        "aud": Audience[0] if len(Audience) == 1 else Audience,
        "iat": now,
        "exp": expires,
        "jti": str(uuid.uuid4()),
        "https://sts.amazonaws.com/": _details(ctx, caller, tags),
    }
    if origin:
        claims["subject_mode"] = SubjectMode
    if Scope:
        claims["scope"] = Scope
    if len(json.dumps(claims)) > MAX_PAYLOAD:
        raise AwsError("JWTPayloadSizeExceededException", "The requested token payload is too large.")
    key = await _key(ctx.world, account["outbound_issuer"], SigningAlgorithm)
    return {
        "WebIdentityToken": keys.sign(key, SigningAlgorithm, claims),
        # with milliseconds, unlike all other expirations of STS
        "Expiration": datetime.fromtimestamp(moment + DurationSeconds, UTC),
    }


@page("GET", f"/{PAGE}/{{issuer}}/.well-known/openid-configuration")
def discovery(visit: Visit, issuer: str) -> Response:
    """The discovery document, from which a third party verifies."""
    _check_issuer(visit, issuer)
    url = f"{visit.base_url}/{PAGE}/{issuer}"
    told = {
        "issuer": url,
        "jwks_uri": f"{url}/.well-known/jwks.json",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
    }
    return render.data(200, told)


@page("GET", f"/{PAGE}/{{issuer}}/.well-known/jwks.json")
async def published_keys(visit: Visit, issuer: str) -> Response:
    _check_issuer(visit, issuer)
    made = [await _key(visit.world, issuer, algorithm) for algorithm in ALGORITHMS]
    return render.data(200, {"keys": [key["public"] for key in made]})


def _check_issuer(visit: Visit, issuer: str) -> None:
    if not any(account.get("outbound_issuer") == issuer for account in visit.world.page(documents.ACCOUNT)):
        raise AwsError("NotFound", "no such issuer", status=404)


def _origin(caller: Caller) -> Origin:
    """Who the calling session acts for. Raises AwsError ValidationError; the sentence is ours, the rule the model's."""
    origin = known(caller.context)
    if origin is None or not origin.subject.strip() or not (origin.issuer or origin.provider):
        raise AwsError("ValidationError", "The calling session has no trusted identity propagation context.")
    return origin


def _subject(origin: Origin) -> str:
    """The subject of a token that speaks for the origin.

    Raises:
        AwsError: AccessDenied for one that could be taken for an ARN, or for another than it is (the model).
    """
    subject = origin.subject
    strange = any(character != " " and category(character)[0] in "CZ" for character in subject)
    if subject.lower().startswith("arn:") or subject != subject.strip(" ") or strange:
        raise access_denied("The subject of the origin identity cannot be the subject of a token.")
    return subject


def _check_scope(scope: str, audience: list[str], origin: Origin | None) -> None:
    """Refuse what the model's pattern lets through. Raises AwsError; the sentences are ours."""
    if origin is None or len(audience) != 1:
        raise AwsError("ValidationError", "Scope needs the SubjectMode OriginIdentity and exactly one audience.")
    values = scope.split(" ")
    if len(set(values)) < len(values):
        raise AwsError("ValidationError", "A scope value can be there once only.")


def _permit(
    ctx: Context, audience: list[str], algorithm: str, duration: int, tags: Mapping[str, str], mode: str, scope: str
) -> None:
    """The account's own `self` is the resource; tags and scopes need permissions of their own.

    Source: UG, outbound federation; the model.
    """
    resource = f"arn:aws:sts::{ctx.identity.account}:self"
    asked = {
        "sts:identitytokenaudience": tuple(audience),
        "sts:signingalgorithm": (algorithm,),
        "sts:durationseconds": (str(duration),),
        "sts:subjectmode": (mode,),
        **tag_keys(tags),
    }
    if scope:
        asked["sts:identitytokenscope"] = tuple(scope.split(" "))
    authorize(ctx, "sts:GetWebIdentityToken", resource, asked)
    if tags:
        authorize(ctx, "sts:TagGetWebIdentityToken", resource, asked)
    if scope:
        authorize(ctx, "sts:SetWebIdentityTokenScope", resource, asked)


def _details(ctx: Context, caller: Caller, tags: Mapping[str, str]) -> JsonObject:
    details: dict[str, Any] = {
        "aws_account": caller.account,
        "source_region": ctx.region,
        "principal_id": caller.context["aws:principalarn"][0],
    }
    org = organizations.principal_keys(ctx.world, caller.account)
    if org:
        details["org_id"] = org["aws:principalorgid"][0]
        details["ou_path"] = list(org["aws:principalorgpaths"])
    if caller.tags:
        details["principal_tags"] = caller.tags
    if tags:
        details["request_tags"] = dict(tags)
    return details


async def _key(world: World, issuer: str, algorithm: str) -> keys.Key:
    """The issuer's key for an algorithm, made when first needed."""
    place = f"{issuer}/{algorithm}"
    stored = world.get(KIND, place)
    if stored is None:
        made, name = await asyncio.to_thread(keys.make_key, algorithm), KEY_IDS[algorithm]
        try:
            world.add(KIND, place, {**made, "kid": name, "public": {**made["public"], "kid": name}})
        except AlreadyExistsError:
            world.refresh()  # another request or replica was first: its key is the one
        stored = world.get(KIND, place)
    return stored or {}
