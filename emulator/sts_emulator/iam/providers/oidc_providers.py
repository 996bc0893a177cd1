"""OpenID Connect providers: whose tokens an account believes, for which audiences."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from sts_emulator.accounts.documents import OidcProvider, changed
from sts_emulator.core.errors import AwsError
from sts_emulator.iam import tags
from sts_emulator.iam.nouns import OIDC_PROVIDER, listing, over_quota
from sts_emulator.iam.permits import consult, permit, permit_new, reach
from sts_emulator.iam.providers import propagation
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

CLIENT_IDS = 100
THUMBPRINTS = 5
SCHEMES = ("https", "http")  # AWS takes https only; http serves issuers on the machine itself

tag_open_id_connect_provider, untag_open_id_connect_provider, list_open_id_connect_provider_tags = tags.operations(
    OIDC_PROVIDER
)


@operation("iam", "CreateOpenIDConnectProvider")
def create_open_id_connect_provider(
    ctx: Context,
    *,
    Url: str,
    ClientIDList: list[str] | None = None,
    ThumbprintList: list[str] | None = None,
    Tags: tags.Pairs | None = None,
    **given: object,
) -> Result:
    """Believe an issuer. Its keys are fetched, or served from this world, when a token comes; never here."""
    labels = tags.checked(OIDC_PROVIDER, Tags)
    url = _without_scheme(Url)
    account = ctx.identity.account
    arn = OIDC_PROVIDER.arn(account, "/", url)
    permit_new(ctx, OIDC_PROVIDER, arn, labels, propagation.guards(given, (url,)))
    thumbprints = _thumbprints(ThumbprintList or [])
    client_ids = list(dict.fromkeys(ClientIDList or []))
    if len(client_ids) > CLIENT_IDS:
        raise over_quota("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS)
    known = listing(ctx.world, OIDC_PROVIDER, account)
    if any(provider["url"] == url for provider in known):
        raise AwsError("EntityAlreadyExists", OIDC_PROVIDER.taken.format(Url))
    if len(known) >= OIDC_PROVIDER.quota:
        raise over_quota(OIDC_PROVIDER.quota_name, OIDC_PROVIDER.quota)
    provider: OidcProvider = {
        "account": account,
        "url": url,
        "arn": arn,
        "client_ids": client_ids,
        "thumbprints": thumbprints,
        "created": int(ctx.world.now()),
        "tags": labels,
        **propagation.created(ctx.world, given),  # type: ignore[typeddict-item]  # a member of it
    }
    ctx.world.add(OIDC_PROVIDER.kind, OIDC_PROVIDER.key(provider), provider, uid=arn)
    return {"OpenIDConnectProviderArn": arn, **tags.echoed(labels)}


@operation("iam", "GetOpenIDConnectProvider")
def get_open_id_connect_provider(ctx: Context, *, OpenIDConnectProviderArn: str) -> Result:
    """One provider; its URL is without scheme."""
    provider = reach(ctx, OIDC_PROVIDER, OpenIDConnectProviderArn)
    return {
        "Url": provider["url"],
        "ClientIDList": provider["client_ids"],
        "ThumbprintList": provider["thumbprints"],
        "CreateDate": provider["created"],
        "Tags": tags.shown(provider["tags"]),
        **propagation.shown(provider),
    }


@operation("iam", "ListOpenIDConnectProviders")
def list_open_id_connect_providers(ctx: Context) -> Result:
    """The ARNs of the account's providers, all at once."""
    account = ctx.identity.account
    permit(ctx, "ListOpenIDConnectProviders", OIDC_PROVIDER.arn(account, "/", "*"))
    providers = listing(ctx.world, OIDC_PROVIDER, account)
    return {"OpenIDConnectProviderList": [{"Arn": provider["arn"]} for provider in providers]}


@operation("iam", "UpdateOpenIDConnectProviderThumbprint")
def update_open_id_connect_provider_thumbprint(
    ctx: Context, *, OpenIDConnectProviderArn: str, ThumbprintList: list[str]
) -> Result:
    """Replace the thumbprints."""
    provider = reach(ctx, OIDC_PROVIDER, OpenIDConnectProviderArn)
    if not ThumbprintList:
        raise AwsError("InvalidInput", "Thumbprint list must contain at least one entry.")
    _update(ctx, provider, thumbprints=_thumbprints(ThumbprintList))
    return {}


@operation("iam", "UpdateOpenIDConnectProvider")
def update_open_id_connect_provider(
    ctx: Context,
    *,
    OpenIDConnectProviderArn: str,
    ContextProvider: JsonObject | None = None,
    IdentityCenterInstanceArn: str = "",
    RemoveContextProvider: bool = False,
    RemoveIdentityCenterInstance: bool = False,
) -> Result:
    """Set up trusted identity propagation, change it, or take it away."""
    given = {
        "ContextProvider": ContextProvider,
        "IdentityCenterInstanceArn": IdentityCenterInstanceArn,
        "RemoveContextProvider": RemoveContextProvider,
        "RemoveIdentityCenterInstance": RemoveIdentityCenterInstance,
    }
    stored = OIDC_PROVIDER.find(ctx.world, ctx.identity.account, OpenIDConnectProviderArn)
    asked = propagation.guards(given, (), stored)
    provider = reach(ctx, OIDC_PROVIDER, OpenIDConnectProviderArn, asked)
    if not any(given.values()):
        raise AwsError("InvalidInput", "No update is defined for the OpenID Connect provider.")
    after = propagation.updated(ctx.world, provider.get("propagation", {}), given)
    _update(ctx, provider, propagation=after)
    return {}


@operation("iam", "AddClientIDToOpenIDConnectProvider")
def add_client_id_to_open_id_connect_provider(ctx: Context, *, OpenIDConnectProviderArn: str, ClientID: str) -> Result:
    """Accept one more audience; one that is there already stays."""
    provider = reach(ctx, OIDC_PROVIDER, OpenIDConnectProviderArn)
    known = provider["client_ids"]
    if ClientID in known:
        return {}
    if len(known) >= CLIENT_IDS:
        raise over_quota("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS)
    _update(ctx, provider, client_ids=[*known, ClientID])
    return {}


@operation("iam", "RemoveClientIDFromOpenIDConnectProvider")
def remove_client_id_from_open_id_connect_provider(
    ctx: Context, *, OpenIDConnectProviderArn: str, ClientID: str
) -> Result:
    """Accept an audience no longer; one that is not there is no error."""
    provider = reach(ctx, OIDC_PROVIDER, OpenIDConnectProviderArn)
    _update(ctx, provider, client_ids=[client for client in provider["client_ids"] if client != ClientID])
    return {}


@operation("iam", "DeleteOpenIDConnectProvider")
def delete_open_id_connect_provider(ctx: Context, *, OpenIDConnectProviderArn: str) -> Result:
    """Stop believing an issuer."""
    provider = consult(ctx, OIDC_PROVIDER, OpenIDConnectProviderArn)
    if provider is None:
        raise AwsError("NoSuchEntity", f"OpenId connect Provider {OpenIDConnectProviderArn} cannot be found.")
    ctx.world.take(OIDC_PROVIDER.kind, OIDC_PROVIDER.key(provider))
    return {}


def _without_scheme(url: str) -> str:
    """Host and path of an issuer, as IAM names it: default port dropped, everything else kept as written.

    Raises:
        AwsError: ValidationError for no URL, InvalidInput for one with a query or fragment (recorded 2026-02, 2026-09).
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in SCHEMES or not parts.hostname or "@" in parts.netloc:
        raise AwsError("ValidationError", "Invalid Open ID Connect Provider URL")
    if parts.query or parts.fragment:
        raise AwsError("InvalidInput", "Unknown")
    host = parts.netloc.rpartition(":")[0] if port == {"https": 443, "http": 80}[parts.scheme] else parts.netloc
    return host + parts.path


def _thumbprints(given: list[str]) -> list[str]:
    if len(given) > THUMBPRINTS:
        raise AwsError("InvalidInput", f"Thumbprint list must contain fewer than {THUMBPRINTS} entries.")
    return [thumbprint.lower() for thumbprint in given]


def _update(ctx: Context, provider: Mapping[str, object], **members: object) -> None:
    ctx.world.update(OIDC_PROVIDER.kind, OIDC_PROVIDER.key(provider), changed(**members))
