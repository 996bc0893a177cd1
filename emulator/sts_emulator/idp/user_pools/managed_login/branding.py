"""How managed login is to look: styles and customizations are kept and told. The pages here look as they look.

What a style says is not rendered: it is a stranger's style sheet on a page that asks for passwords.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypedDict

from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.idp.user_pools.kinds import Pool, client_of, invalid, not_found, reach
from sts_emulator.idp.user_pools.pools import domain_of
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import operation


class Style(TypedDict):
    """A style of an app client."""

    id: str
    pool: str
    client: str
    defaults: bool
    settings: Any
    assets: list[dict[str, Any]]
    created: float
    modified: float


class Customization(TypedDict):
    """What the classic pages of a client, or of ALL, are to look like."""

    pool: str
    client: str
    css: str
    version: str
    created: float
    modified: float


STYLE: Final[Kind[Style]] = Kind("user-pool-style")  # key: `POOL/id`, uid: `POOL/client`
CUSTOMIZATION: Final[Kind[Customization]] = Kind("user-pool-customization")  # key: `POOL/client`
_ALL: Final = "ALL"


@operation("cognito-idp", "CreateManagedLoginBranding")
def create_managed_login_branding(
    ctx: Context,
    *,
    UserPoolId: str,
    ClientId: str,
    UseCognitoProvidedValues: bool = False,
    Settings: Any = None,
    Assets: Iterable[Mapping[str, Any]] = (),
) -> Mapping[str, Any]:
    """A style for a client that has none."""
    pool = reach(ctx, UserPoolId)
    client_of(ctx.world, ClientId, UserPoolId)
    assets = [_asset(asset) for asset in Assets]
    _check(UseCognitoProvidedValues, Settings, assets)
    if ctx.world.find(STYLE, f"{pool['id']}/{ClientId}") is not None:
        raise AwsError("ManagedLoginBrandingExistsException", "A managed login branding already exists for the client.")
    now = ctx.world.now()
    style = Style(
        id=str(uuid.uuid4()),
        pool=pool["id"],
        client=ClientId,
        defaults=UseCognitoProvidedValues,
        settings=Settings,
        assets=assets,
        created=now,
        modified=now,
    )
    ctx.world.add(STYLE, f"{pool['id']}/{style['id']}", style, uid=f"{pool['id']}/{ClientId}")
    return {"ManagedLoginBranding": _told(style)}


@operation("cognito-idp", "DescribeManagedLoginBranding")
def describe_managed_login_branding(
    ctx: Context, *, UserPoolId: str, ManagedLoginBrandingId: str, **_: Any
) -> Mapping[str, Any]:
    """A style by its id."""
    return {"ManagedLoginBranding": _told(_style(ctx, reach(ctx, UserPoolId), ManagedLoginBrandingId))}


@operation("cognito-idp", "DescribeManagedLoginBrandingByClient")
def describe_managed_login_branding_by_client(
    ctx: Context, *, UserPoolId: str, ClientId: str, **_: Any
) -> Mapping[str, Any]:
    """The style of a client."""
    pool = reach(ctx, UserPoolId)
    client_of(ctx.world, ClientId, UserPoolId)
    style = ctx.world.find(STYLE, f"{pool['id']}/{ClientId}")
    if style is None:
        raise not_found("ManagedLoginBranding does not exist.")
    return {"ManagedLoginBranding": _told(style)}


@operation("cognito-idp", "UpdateManagedLoginBranding")
def update_managed_login_branding(
    ctx: Context,
    *,
    UserPoolId: str = "",
    ManagedLoginBrandingId: str = "",
    UseCognitoProvidedValues: bool = False,
    Settings: Any = None,
    Assets: Iterable[Mapping[str, Any]] | None = None,
) -> Mapping[str, Any]:
    """Change what is given; the rest stays, save where AWS's own values are wished for."""
    pool = reach(ctx, UserPoolId)
    style = _style(ctx, pool, ManagedLoginBrandingId)
    assets = style["assets"] if Assets is None else [_asset(asset) for asset in Assets]
    _check(UseCognitoProvidedValues, Settings, [] if Assets is None else assets)
    changed: Style = {
        **style,
        "defaults": UseCognitoProvidedValues,
        "settings": None if UseCognitoProvidedValues else Settings or style["settings"],
        "assets": [] if UseCognitoProvidedValues else assets,
        "modified": ctx.world.now(),
    }
    ctx.world.put(STYLE, f"{pool['id']}/{style['id']}", changed, uid=f"{pool['id']}/{style['client']}")
    return {"ManagedLoginBranding": _told(changed)}


@operation("cognito-idp", "DeleteManagedLoginBranding")
def delete_managed_login_branding(ctx: Context, *, UserPoolId: str, ManagedLoginBrandingId: str) -> Mapping[str, Any]:
    """Delete a style."""
    pool = reach(ctx, UserPoolId)
    _style(ctx, pool, ManagedLoginBrandingId)
    ctx.world.take(STYLE, f"{pool['id']}/{ManagedLoginBrandingId}")
    return {}


@operation("cognito-idp", "SetUICustomization")
def set_ui_customization(
    ctx: Context, *, UserPoolId: str, ClientId: str = _ALL, CSS: str = "", ImageFile: bytes | None = None
) -> Mapping[str, Any]:
    """The classic pages' style sheet, for a client or for all. A logo is refused: nothing here would serve it."""
    pool = reach(ctx, UserPoolId)
    if not domain_of(ctx.world, pool):
        raise invalid("There has to be an existing domain associated with this user pool")
    if ImageFile:
        raise AwsError("NotImplemented", "sts-emulator does not have ImageFile of user pools", status=501)
    if ClientId != _ALL:
        client_of(ctx.world, ClientId, UserPoolId)
    now, key = ctx.world.now(), f"{pool['id']}/{ClientId}"
    known = ctx.world.get(CUSTOMIZATION, key)
    kept = Customization(
        pool=pool["id"],
        client=ClientId,
        css=CSS,
        version=hashlib.sha256(CSS.encode()).hexdigest()[:14],
        created=known["created"] if known else now,
        modified=now,
    )
    ctx.world.put(CUSTOMIZATION, key, kept)
    return {"UICustomization": _shown(kept)}


@operation("cognito-idp", "GetUICustomization")
def get_ui_customization(ctx: Context, *, UserPoolId: str, ClientId: str = _ALL) -> Mapping[str, Any]:
    """A client's, or else that of all; nothing, where neither was set."""
    pool = reach(ctx, UserPoolId)
    for client in dict.fromkeys((ClientId, _ALL)):
        kept = ctx.world.get(CUSTOMIZATION, f"{pool['id']}/{client}")
        if kept is not None:
            return {"UICustomization": _shown(kept)}
    return {"UICustomization": {}}


def _style(ctx: Context, pool: Pool, identifier: str) -> Style:
    style = ctx.world.get(STYLE, f"{pool['id']}/{identifier}")
    if style is None:
        raise not_found("ManagedLoginBranding does not exist.")
    return style


def _check(defaults: bool, settings: Any, assets: list[dict[str, Any]]) -> None:
    if defaults and (settings or assets):
        raise invalid("UseCognitoProvidedValues does not go with Settings or Assets.")


def _asset(asset: Mapping[str, Any]) -> dict[str, Any]:
    """An asset as the world keeps it: its bytes as text."""
    kept = dict(asset)
    if isinstance(kept.get("Bytes"), bytes):
        kept["Bytes"] = kept["Bytes"].hex()
    return kept


def _told(style: Style) -> dict[str, Any]:
    told: dict[str, Any] = {
        "ManagedLoginBrandingId": style["id"],
        "UserPoolId": style["pool"],
        "UseCognitoProvidedValues": style["defaults"],
        "Assets": [
            {**asset, "Bytes": bytes.fromhex(asset["Bytes"])} if "Bytes" in asset else asset
            for asset in style["assets"]
        ],
        "CreationDate": style["created"],
        "LastModifiedDate": style["modified"],
    }
    return {**told, "Settings": style["settings"]} if style["settings"] is not None else told


def _shown(kept: Customization) -> dict[str, Any]:
    return {
        "UserPoolId": kept["pool"],
        "ClientId": kept["client"],
        "CSS": kept["css"],
        "CSSVersion": kept["version"],
        "CreationDate": kept["created"],
        "LastModifiedDate": kept["modified"],
    }
