"""How managed login is to look: styles of app clients, and customizations of the classic pages. `looks` shows them."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final, NotRequired, TypedDict
from urllib.parse import urlencode

from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools.kinds import Pool, client_of, invalid, not_found, reach, reach_client
from sts_emulator.idp.user_pools.managed_login import classic_css
from sts_emulator.idp.user_pools.pools import domain_of
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


class Style(TypedDict):
    """A style of an app client."""

    id: str
    pool: str
    client: str
    defaults: bool
    settings: Any
    assets: list[dict[str, str]]
    created: float
    modified: float


class Customization(TypedDict):
    """What the classic pages of a client, or of ALL, are to look like."""

    pool: str
    client: str
    css: str
    image: NotRequired[str]  # a logo, as base64
    version: str
    created: float
    modified: float


STYLE: Final[Kind[Style]] = Kind("user-pool-style")  # key: `POOL/id`, uid: `POOL/client`
CUSTOMIZATION: Final[Kind[Customization]] = Kind("user-pool-customization")  # key: `POOL/client`
_ALL: Final = "ALL"
_IMAGES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_LARGEST_IMAGE: Final = 100 * 1024  # bytes (Cognito's guide, "Customizing hosted UI (classic) branding")


@operation("cognito-idp", "CreateManagedLoginBranding")
def create_managed_login_branding(
    ctx: Context,
    *,
    UserPoolId: str,
    ClientId: str,
    UseCognitoProvidedValues: bool = False,
    Settings: object = None,
    Assets: Iterable[Mapping[str, str | bytes]] = (),
) -> Result:
    """A style for a client that has none."""
    pool, _ = reach_client(ctx, UserPoolId, ClientId)
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
    ctx: Context, *, UserPoolId: str, ManagedLoginBrandingId: str, **_: object
) -> Result:
    return {"ManagedLoginBranding": _told(_style(ctx, reach(ctx, UserPoolId), ManagedLoginBrandingId))}


@operation("cognito-idp", "DescribeManagedLoginBrandingByClient")
def describe_managed_login_branding_by_client(ctx: Context, *, UserPoolId: str, ClientId: str, **_: object) -> Result:
    pool = reach_client(ctx, UserPoolId, ClientId)[0]
    style = ctx.world.find(STYLE, f"{pool['id']}/{ClientId}")
    return {"ManagedLoginBranding": _told(required(style, _missing()))}


@operation("cognito-idp", "UpdateManagedLoginBranding")
def update_managed_login_branding(
    ctx: Context,
    *,
    UserPoolId: str = "",
    ManagedLoginBrandingId: str = "",
    UseCognitoProvidedValues: bool = False,
    Settings: object = None,
    Assets: Iterable[Mapping[str, str | bytes]] | None = None,
) -> Result:
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
def delete_managed_login_branding(ctx: Context, *, UserPoolId: str, ManagedLoginBrandingId: str) -> Result:
    pool = reach(ctx, UserPoolId)
    _style(ctx, pool, ManagedLoginBrandingId)
    ctx.world.take(STYLE, f"{pool['id']}/{ManagedLoginBrandingId}")
    return {}


@operation("cognito-idp", "SetUICustomization")
def set_ui_customization(
    ctx: Context, *, UserPoolId: str, ClientId: str = _ALL, CSS: str = "", ImageFile: bytes | None = None
) -> Result:
    """The classic pages' style sheet and logo, for a client or for all: both at once, in place of those before."""
    pool = reach(ctx, UserPoolId)
    if not domain_of(ctx.world, pool):
        raise invalid("There has to be an existing domain associated with this user pool")
    try:
        classic_css.check(CSS)
    except ValueError as wrong:
        raise invalid(str(wrong)) from None
    if ImageFile and (not ImageFile.startswith(_IMAGES) or len(ImageFile) > _LARGEST_IMAGE):
        raise invalid("ImageFile is a PNG or JPEG of 100 KB at most.")
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
    if ImageFile:
        kept["image"] = base64.b64encode(ImageFile).decode()
    ctx.world.put(CUSTOMIZATION, key, kept)
    return {"UICustomization": _shown(ctx, kept)}


@operation("cognito-idp", "GetUICustomization")
def get_ui_customization(ctx: Context, *, UserPoolId: str, ClientId: str = _ALL) -> Result:
    """A client's, or else that of all; nothing, where neither was set."""
    pool = reach(ctx, UserPoolId)
    kept = customization_of(ctx.world, pool["id"], ClientId)
    return {"UICustomization": _shown(ctx, kept) if kept else {}}


def customization_of(world: World, pool: str, client: str) -> Customization | None:
    """A client's own, or else that of all."""
    own = world.get(CUSTOMIZATION, f"{pool}/{client}")
    return world.get(CUSTOMIZATION, f"{pool}/{_ALL}") if own is None else own


def _style(ctx: Context, pool: Pool, identifier: str) -> Style:
    return required(ctx.world.get(STYLE, f"{pool['id']}/{identifier}"), _missing())


def _missing() -> AwsError:
    return not_found("ManagedLoginBranding does not exist.")


def _check(defaults: bool, settings: object, assets: list[dict[str, str]]) -> None:
    if defaults and (settings or assets):
        raise invalid("UseCognitoProvidedValues does not go with Settings or Assets.")


def _asset(asset: Mapping[str, str | bytes]) -> dict[str, str]:
    """An asset as the world keeps it: its bytes as text."""
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in asset.items()}


def _told(style: Style) -> Result:
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


def _shown(ctx: Context, kept: Customization) -> Result:
    place = urlencode({"pool": kept["pool"], "client": kept["client"]})
    return {
        **({"ImageUrl": f"{ctx.base_url}/login/logo?{place}"} if "image" in kept else {}),
        "UserPoolId": kept["pool"],
        "ClientId": kept["client"],
        "CSS": kept["css"],
        "CSSVersion": kept["version"],
        "CreationDate": kept["created"],
        "LastModifiedDate": kept["modified"],
    }
