"""Terms of use and privacy policies of an app client, to which the sign-up page links once it has both.

Source: botocore's model (CreateTerms).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final, TypedDict

from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools.kinds import Pool, invalid, not_found, page, reach, reach_client
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


class Terms(TypedDict):
    """One document: where it is, by language."""

    id: str
    pool: str
    client: str
    name: str
    source: str
    enforcement: str
    links: dict[str, str]
    created: float
    modified: float


TERMS: Final[Kind[Terms]] = Kind("user-pool-terms")  # key: `POOL/id`, uid: `POOL/client/name`

NAMES: Final = {"terms-of-use": "Terms of use", "privacy-policy": "Privacy policy"}
_LANGUAGES: Final = ("cognito:english", "cognito:default")  # the pages here are in English


@operation("cognito-idp", "CreateTerms")
def create_terms(
    ctx: Context,
    *,
    UserPoolId: str,
    ClientId: str,
    TermsName: str,
    TermsSource: str,
    Enforcement: str,
    Links: Mapping[str, str] | None = None,
) -> Result:
    """A document of a client that has none of that name."""
    pool, _ = reach_client(ctx, UserPoolId, ClientId)
    now = ctx.world.now()
    terms = Terms(
        id=str(uuid.uuid4()),
        pool=pool["id"],
        client=ClientId,
        name=TermsName,
        source=TermsSource,
        enforcement=Enforcement,
        links=_checked(Links or {}),
        created=now,
        modified=now,
    )
    _check_free(ctx.world, terms)
    ctx.world.add(TERMS, _key(terms), terms, uid=_uid(terms))
    return {"Terms": _shown(terms)}


@operation("cognito-idp", "DescribeTerms")
def describe_terms(ctx: Context, *, TermsId: str, UserPoolId: str) -> Result:
    return {"Terms": _shown(_terms(ctx.world, reach(ctx, UserPoolId), TermsId))}


@operation("cognito-idp", "DescribeTermsByClient")
def describe_terms_by_client(ctx: Context, *, ClientId: str, UserPoolId: str, TermsName: str) -> Result:
    pool, _ = reach_client(ctx, UserPoolId, ClientId)
    terms = ctx.world.find(TERMS, f"{pool['id']}/{ClientId}/{TermsName}")
    return {"Terms": _shown(required(terms, _missing()))}


@operation("cognito-idp", "ListTerms")
def list_terms(ctx: Context, *, UserPoolId: str, MaxResults: int | None = None, NextToken: str | None = None) -> Result:
    pool = reach(ctx, UserPoolId)
    listed = ctx.world.page(TERMS, f"{pool['id']}/")
    return page(ctx, "Terms", listed, NextToken, MaxResults, _brief)


@operation("cognito-idp", "UpdateTerms")
def update_terms(
    ctx: Context,
    *,
    TermsId: str,
    UserPoolId: str,
    TermsName: str = "",
    TermsSource: str = "",
    Enforcement: str = "",
    Links: Mapping[str, str] | None = None,
) -> Result:
    """Change what is given; the rest stays."""
    terms = _terms(ctx.world, reach(ctx, UserPoolId), TermsId)
    changed: Terms = {
        **terms,
        "name": TermsName or terms["name"],
        "source": TermsSource or terms["source"],
        "enforcement": Enforcement or terms["enforcement"],
        "links": terms["links"] if Links is None else _checked(Links),
        "modified": ctx.world.now(),
    }
    if changed["name"] != terms["name"]:
        _check_free(ctx.world, changed)
    ctx.world.take(TERMS, _key(terms))  # its uid may be another now
    ctx.world.add(TERMS, _key(changed), changed, uid=_uid(changed))
    return {"Terms": _shown(changed)}


@operation("cognito-idp", "DeleteTerms")
def delete_terms(ctx: Context, *, TermsId: str, UserPoolId: str) -> Result:
    ctx.world.take(TERMS, _key(_terms(ctx.world, reach(ctx, UserPoolId), TermsId)))
    return {}


def links_of(world: World, pool: Pool, client: str) -> list[dict[str, str]]:
    """What the sign-up page of a client links to: both documents, or none."""
    stored = [world.find(TERMS, f"{pool['id']}/{client}/{name}") for name in NAMES]
    told = [
        {
            "name": NAMES[terms["name"]],
            "url": next(terms["links"][name] for name in _LANGUAGES if name in terms["links"]),
        }
        for terms in stored
        if terms is not None and any(name in terms["links"] for name in _LANGUAGES)
    ]
    return told if len(told) == len(NAMES) else []


def _checked(links: Mapping[str, str]) -> dict[str, str]:
    """Links of the web alone, for a page of ours leads there. AWS's own check is not recorded."""
    if not links or not all(url.startswith(("https://", "http://")) for url in links.values()):
        raise invalid("Links are one or more URLs of http or https.")
    return dict(links)


def _check_free(world: World, terms: Terms) -> None:
    if world.find(TERMS, _uid(terms)) is not None:
        raise AwsError("TermsExistsException", f"Terms {terms['name']} already exist for the client.")


def _terms(world: World, pool: Pool, identifier: str) -> Terms:
    return required(world.get(TERMS, f"{pool['id']}/{identifier}"), _missing())


def _missing() -> AwsError:
    return not_found("Terms do not exist.")


def _key(terms: Terms) -> str:
    return f"{terms['pool']}/{terms['id']}"


def _uid(terms: Terms) -> str:
    return f"{terms['pool']}/{terms['client']}/{terms['name']}"


def _brief(terms: Terms) -> Result:
    return {
        "TermsId": terms["id"],
        "TermsName": terms["name"],
        "Enforcement": terms["enforcement"],
        "CreationDate": terms["created"],
        "LastModifiedDate": terms["modified"],
    }


def _shown(terms: Terms) -> Result:
    return {
        **_brief(terms),
        "UserPoolId": terms["pool"],
        "ClientId": terms["client"],
        "TermsSource": terms["source"],
        "Links": terms["links"],
    }
