"""Styles and classic customizations on the pages: colours, corners, a logo, and nothing that a page does not expect."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError
from managed_login_lab import POOL, Person

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc0f01f00050001ff56c7"
    "2f0d0000000049454e44ae426082"
)
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="220" height="60"><script>alert(1)</script>'
    b'<rect width="220" height="60" rx="8" fill="#0b5cab"/></svg>'
)
SETTINGS = {
    "categories": {"global": {"colorSchemeMode": "DYNAMIC"}},
    "components": {
        "pageBackground": {"lightMode": {"color": "EEF3FAff"}, "darkMode": {"color": "0a1020ff"}},
        "form": {
            "lightMode": {"backgroundColor": "ffffffff", "borderColor": "b6c6dcff"},
            "darkMode": {"backgroundColor": "14203aff", "borderColor": "31507eff"},
            "borderRadius": 20.0,
            "logo": {"enabled": True},
        },
        "pageText": {
            "lightMode": {"bodyColor": "1b2a41ff", "headingColor": "0b3d75ff"},
            "darkMode": {"bodyColor": "dbe7f7ff", "headingColor": "8ec1ffff"},
        },
        "primaryButton": {
            "lightMode": {"defaults": {"backgroundColor": "0b5cabff", "textColor": "ffffffff"}},
            "darkMode": {"defaults": {"backgroundColor": "8ec1ffff", "textColor": "06121fff"}},
        },
    },
    "componentClasses": {
        "buttons": {"borderRadius": 24},
        "link": {
            "lightMode": {"defaults": {"textColor": "0b5cabff"}},
            "darkMode": {"defaults": {"textColor": "8ec1ffff"}},
        },
    },
}
WITH_SVG = [{"Category": "FORM_LOGO", "ColorMode": "DYNAMIC", "Extension": "SVG", "Bytes": SVG}]


@pytest.fixture
def idp(aws):
    return aws.client("cognito-idp")


def styled(idp, settings=SETTINGS, assets=WITH_SVG) -> None:
    idp.create_managed_login_branding(UserPoolId=POOL, ClientId="web", Settings=settings, Assets=assets)


def classic(idp, css: str = "", **image: bytes) -> None:
    idp.update_user_pool_domain(UserPoolId=POOL, Domain="shop", ManagedLoginVersion=1)
    idp.set_ui_customization(UserPoolId=POOL, CSS=css, **image)


def sheets(person: Person) -> list[str]:
    """The sheets over our own, as the browser gets them."""
    links = person.tree.xpath("//link[@rel='stylesheet']/@href")[1:]
    answers = [person.http.get(httpx.URL(str(person.page.url)).join(link)) for link in links]
    assert all(answer.headers["content-type"].startswith("text/css") for answer in answers)
    return [answer.text for answer in answers]


def logos(person: Person) -> list[httpx.Response]:
    links = person.tree.xpath("//picture[@class='logo']//@src | //picture[@class='logo']//@srcset")
    return [person.http.get(httpx.URL(str(person.page.url)).join(link)) for link in links]


def test_a_style_is_on_every_page_of_its_client(idp, app, server_app, person):
    styled(idp)
    for page in ("login", "signup", "forgotPassword", "confirmForgotPassword", "confirmUser"):
        person.open(app.url(page))
        (sheet,) = sheets(person)
        assert "--accent: #0b5cabff" in sheet
        assert ".card button { border-radius: 24px }" in sheet
        (logo,) = logos(person)
        assert (logo.content, logo.headers["content-type"]) == (SVG, "image/svg+xml")
    person.open(server_app.url())
    assert (sheets(person), logos(person)) == ([], [])


def test_one_mode_for_all(idp, app, person):
    styled(idp, {**SETTINGS, "categories": {"global": {"colorSchemeMode": "DARK"}}}, [])
    person.open(app.url())
    (sheet,) = sheets(person)
    assert "color-scheme: dark" in sheet
    assert "--alert: #ff9d92" in sheet  # what the style says nothing of is our own for the dark
    assert "@media" not in sheet


def test_a_logo_for_each_mode(idp, app, person):
    assets = [
        {"Category": "FORM_LOGO", "ColorMode": mode, "Extension": "PNG", "Bytes": PNG + mode.encode()}
        for mode in ("LIGHT", "DARK")
    ]
    styled(idp, None, assets)
    person.open(app.url())
    assert sorted(logo.content for logo in logos(person)) == [PNG + b"DARK", PNG + b"LIGHT"]


def test_no_logo_where_the_style_switches_it_off(idp, app, person):
    styled(idp, {"components": {"form": {"logo": {"enabled": False}}}})
    person.open(app.url())
    assert logos(person) == []


@pytest.mark.parametrize(
    "value",
    [
        "red",
        "ffffff;}body{display:none",
        "ffffff</style><script>alert(1)</script>",
        "url(https://evil.example)",
        "fff",
        "ffffffffff",
        ["ffffff"],
        {"x": "ffffff"},
        7,
        True,
        None,
    ],
    ids=str,
)
def test_a_colour_that_is_none(idp, app, person, value):
    settings = {"components": {"pageBackground": {"lightMode": {"color": value}, "darkMode": value}, "form": value}}
    styled(idp, settings, [])
    person.open(app.url())
    (sheet,) = sheets(person)
    assert "--paper" not in sheet
    assert "evil" not in sheet
    assert "<" not in sheet


@pytest.mark.parametrize("value", [-1, 101, 1e300, "8px", "8}", True, [8], None], ids=str)
def test_corners_that_are_none(idp, app, person, value):
    styled(idp, {"components": {"form": {"borderRadius": value}}}, [])
    person.open(app.url())
    assert "border-radius" not in sheets(person)[0]


def test_a_logo_can_only_be_shown(idp, app, person):
    styled(idp)
    person.open(app.url())
    (logo,) = logos(person)
    assert logo.headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'")
    assert logo.headers["x-content-type-options"] == "nosniff"
    for query in ("", "?pool=x", "?pool=x&client=y&mode=LIGHT", f"?pool={POOL}&client=web&mode=../x"):
        assert person.http.get(f"{app.aws.endpoint_url}/login/logo{query}").status_code == 404
    assert person.http.get(f"{app.aws.endpoint_url}/login/look.css").text == ""


def test_the_classic_pages_have_their_customization(idp, app, person):
    styled(idp)  # which is managed login's alone
    css = (
        "/* ours */ .submitButton-customizable { background-color: #0b5cab; Color: white !important; height: 40px }\n"
        ".label-customizable, .textDescription-customizable { font-weight: 400 }\n"
        ".background-customizable { position: fixed; background: url(https://evil.example/x); padding: 1px 2px }\n"
        ".legalText-customizable { color: #747474; }"
    )
    classic(idp, css, ImageFile=PNG)
    told = idp.get_ui_customization(UserPoolId=POOL, ClientId="web")["UICustomization"]
    assert told["CSS"] == css
    person.open(app.url())
    (sheet,) = sheets(person)
    assert sheet.splitlines() == [
        "form.card > button { background-color: #0b5cab; height: 40px }",
        "form.card > label { font-weight: 400 }",
        "form.card > p:not(.soft, .alert) { font-weight: 400 }",
        ".card { padding: 1px 2px }",
    ]
    (logo,) = logos(person)
    assert (logo.content, logo.headers["content-type"]) == (PNG, "image/png")
    assert person.http.get(told["ImageUrl"]).content == PNG
    classic(idp, "")  # both are replaced at once
    person.open(app.url())
    assert logos(person) == []


@pytest.mark.parametrize(
    "css",
    [
        ".card { display: none }",
        "body { display: none }",
        ".label-customizable::after { content: 'x' }",
        ".label-customizable .x {}",
        "@import url(https://evil.example/x.css);",
        "@media print { .label-customizable {} }",
        ".label-customizable { @import 'x' }",
        ".label-customizable { color: red",
        ".label-customizable { color: red }}",
        "{}",
        "</style><script>alert(1)</script>",
        "/* .label-customizable {}",
    ],
)
def test_a_classic_sheet_that_is_refused(idp, css):
    with pytest.raises(ClientError) as caught:
        classic(idp, css)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


@pytest.mark.parametrize(
    "value",
    [
        "url(x)",
        "expression(alert(1))",
        "var(--x)",
        "red</style>",
        "red\\9",
        "'x'",
        "red !important",
        "rgb(1 2 3)",
        "é",
    ],
)
def test_a_value_that_is_kept_and_not_shown(idp, app, person, value):
    classic(idp, f".label-customizable {{ color: {value}; behavior: red; font-size: 12px }}")
    person.open(app.url())
    assert sheets(person) == ["form.card > label { font-size: 12px }"]


@pytest.mark.parametrize(
    "image", [b"GIF89a", SVG, b"<html>", PNG + b"x" * 102_400], ids=["gif", "svg", "html", "large"]
)
def test_a_classic_logo_that_is_refused(idp, image):
    with pytest.raises(ClientError) as caught:
        classic(idp, "", ImageFile=image)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


@pytest.mark.clients
@pytest.mark.parametrize(
    ("theme", "colours"),
    [("light", ("rgb(11, 92, 171)", "rgb(238, 243, 250)")), ("dark", ("rgb(142, 193, 255)", "rgb(10, 16, 32)"))],
)
def test_a_browser_shows_a_style(idp, app, chromium, theme, colours):
    styled(idp)
    with chromium.new_context(color_scheme=theme, viewport={"width": 900, "height": 900}) as context:
        page = context.new_page()
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.goto(app.url())
        button, paper = (
            page.evaluate(f"getComputedStyle(document.querySelector('{place}')).backgroundColor")
            for place in ("#submit", "html")
        )
        assert (button, paper) == colours
        assert page.evaluate("document.querySelector('.logo img').naturalWidth") == 220
        assert complaints == []
        if os.environ.get("PICTURES_TO"):
            page.screenshot(path=Path(os.environ["PICTURES_TO"]) / f"style-{theme}.png")
