"""How the pages look: colours, corners and the logo of an app client's style, or of the classic pages' customization.

Pages `login/look.css` and `login/logo`. Colours and numbers are read out of a style, and a sheet is written anew.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools.kinds import Client, Pool
from sts_emulator.idp.user_pools.managed_login import classic_css
from sts_emulator.idp.user_pools.managed_login.branding import STYLE, Customization, Style, customization_of
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.wire.http import Response

_MODES: Final = {"LIGHT": "lightMode", "DARK": "darkMode"}
_VARIABLES: Final = {  # of our own sheet -> where a style's settings have it; `{}` is the mode
    "--paper": "components.pageBackground.{}.color",
    "--card": "components.form.{}.backgroundColor",
    "--line": "components.form.{}.borderColor",
    "--ink": "components.pageText.{}.bodyColor",
    "--accent": "components.primaryButton.{}.defaults.backgroundColor",
    "--accent-ink": "components.primaryButton.{}.defaults.textColor",
}
_RULES: Final = {
    ".card h1": "components.pageText.{}.headingColor",
    ".card a": "componentClasses.link.{}.defaults.textColor",
}
_CORNERS: Final = {
    ".card": "components.form.borderRadius",
    ".card button": "componentClasses.buttons.borderRadius",
    ".card input": "componentClasses.input.borderRadius",
}
_COLOUR = re.compile(r"(?:[0-9a-f]{6}|[0-9a-f]{8})", re.IGNORECASE)
_MOST_PIXELS: Final = 100
_TYPES: Final = {
    "ICO": "image/x-icon",
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "SVG": "image/svg+xml",
    "WEBP": "image/webp",
}


def look(visit: Visit, pool: Pool, client: Client, *, managed: bool) -> JsonObject:
    """For templates: the address of a sheet, and those of a logo by the mode that it is for; nothing where nothing is.

    On the managed pages a style says both, on the classic ones a customization.
    """
    place = {"pool": pool["id"], "client": client["id"]}

    def address(name: str, **more: str) -> str:
        return f"{visit.root}/login/{name}?{urlencode({**place, **more})}"

    if managed:
        style = _style(visit.world, pool["id"], client["id"])
        modes = _logo_modes(style) if style else {}
        logo = {name: address("logo", mode=mode) for name, mode in modes.items()}
        return {"style": address("look.css", managed="1") if style else "", "logo": logo}
    kept = customization_of(visit.world, pool["id"], client["id"])
    has_logo = kept is not None and "image" in kept
    return {"style": address("look.css") if kept else "", "logo": {"plain": address("logo")} if has_logo else {}}


@page("GET", "/login/look.css")
def look_css(visit: Visit) -> Response:
    """The sheet that goes over our own."""
    query = visit.query
    pool, client = query.get("pool", ""), query.get("client", "")
    if "managed" in query:
        style = _style(visit.world, pool, client)
        text = sheet(style["settings"]) if style else ""
    else:
        kept = customization_of(visit.world, pool, client)
        text = classic_css.rewritten(kept["css"]) if kept else ""
    return render.text(200, "text/css; charset=utf-8", text)


@page("GET", "/login/logo")
def logo(visit: Visit) -> Response:
    """The image that a style or a customization brings, which can do nothing but be shown."""
    query = visit.query
    pool, client, mode = query.get("pool", ""), query.get("client", ""), query.get("mode", "")
    image = (
        _asset(_style(visit.world, pool, client), mode) if mode else _image(customization_of(visit.world, pool, client))
    )
    if image is None:
        raise AwsError("NotFound", "there is no such logo", status=404)
    kind, content = image
    response = render.text(200, kind, "")
    response.body = content
    return response


def sheet(settings: object) -> str:
    """What a style's settings say, as a sheet."""
    scheme = _at(settings, "categories.global.colorSchemeMode")
    said = {place: _at(settings, path) for place, path in _CORNERS.items()}
    corners = [f"{place} {{ border-radius: {pixels}px }}" for place, pixels in said.items() if _is_pixels(pixels)]
    if scheme in _MODES:  # one for all, whatever the browser prefers
        base = _own_variables()[scheme]
        return "\n".join([_of_mode(settings, scheme, base, f"color-scheme: {scheme.lower()}"), *corners])
    both = [
        f"@media (prefers-color-scheme: {mode.lower()}) {{\n{_of_mode(settings, mode, {}, '')}\n}}" for mode in _MODES
    ]
    return "\n".join([*both, *corners])


def _of_mode(settings: object, mode: str, base: Mapping[str, str], more: str) -> str:
    def colours(table: Mapping[str, str]) -> dict[str, str]:
        said = {name: _at(settings, path.format(_MODES[mode])) for name, path in table.items()}
        return {
            name: f"#{value}" for name, value in said.items() if isinstance(value, str) and _COLOUR.fullmatch(value)
        }

    variables = {**base, **colours(_VARIABLES)}
    told = "; ".join([*(f"{name}: {value}" for name, value in variables.items()), *filter(None, [more])])
    rules = [f"{place} {{ color: {value} }}" for place, value in colours(_RULES).items()]
    return "\n".join([f":root {{ {told} }}", *rules])


def _is_pixels(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value <= _MOST_PIXELS
    )


def _at(settings: object, path: str) -> Any:
    for name in path.split("."):
        settings = settings.get(name) if isinstance(settings, dict) else None
    return settings


def _own_variables() -> dict[str, dict[str, str]]:
    """The colours of our own sheet, for light and for dark."""
    own = render.asset("console.css")
    blocks = re.findall(r":root \{([^}]*)\}", own.body.decode())[:2]
    return {
        mode: dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]+)", block)) for mode, block in zip(_MODES, blocks, strict=True)
    }


def _style(world: World, pool: str, client: str) -> Style | None:
    return world.find(STYLE, f"{pool}/{client}")


def _logo_modes(style: Style) -> dict[str, str]:
    """Which of a style's logos is shown, and which other one in the dark."""
    if _at(style["settings"], "components.form.logo.enabled") is False:
        return {}
    there = {asset["ColorMode"] for asset in style["assets"] if asset["Category"] == "FORM_LOGO" and "Bytes" in asset}
    scheme = _at(style["settings"], "categories.global.colorSchemeMode")
    if scheme in _MODES:
        plain = next((mode for mode in (scheme, "DYNAMIC") if mode in there), "")
        return {"plain": plain} if plain else {}
    plain = next((mode for mode in ("DYNAMIC", "LIGHT", "DARK") if mode in there), "")
    return {"plain": plain, **({"dark": "DARK"} if "DARK" in there else {})} if plain else {}


def _asset(style: Style | None, mode: str) -> tuple[str, bytes] | None:
    for asset in style["assets"] if style else ():
        if asset["Category"] == "FORM_LOGO" and asset["ColorMode"] == mode and "Bytes" in asset:
            return _TYPES[asset["Extension"]], bytes.fromhex(asset["Bytes"])
    return None


def _image(kept: Customization | None) -> tuple[str, bytes] | None:
    if kept is None or "image" not in kept:
        return None
    content = base64.b64decode(kept["image"])
    return _TYPES["PNG" if content.startswith(b"\x89PNG") else "JPEG"], content
