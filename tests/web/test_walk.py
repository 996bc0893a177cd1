"""Chromium walks every page of the console in both themes and three widths, and makes the pictures of the docs."""

from __future__ import annotations

import importlib
import os
from functools import cache
from pathlib import Path

import pytest
from browsers import serious
from console_lab import THEMES, WIDTHS, console, event_of, tries, visit, window

from sts_emulator.app import PAGES as PAGES_OF_ROOMS
from sts_emulator.app import create_server
from sts_emulator.pages import routes
from sts_emulator.settings import Settings

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"

PAGES = {
    "timeline": "",
    "timeline-filtered": "?outcome=denied&not_method=iam&q=sts",
    "timeline-nothing": "?q=nothing+is+like+that",
    "attempt": "attempts/{denied}",
    "attempt-allowed": "attempts/{allowed}",
    "attempt-signature": "attempts/{signature}",
    "compare": "compare?pick={denied}&pick={allowed}",
    "replay": "attempts/{denied}/replay?change=0",
    "refused": "attempts/nothing",
    "world": "world?amount=2&unit=hours",
    "mailbox": "mailbox",
    "worlds": "worlds",
    "explorer": "explorer",
    "workbench": "workbench",
    "role": "explorer/role?arn=arn:aws:iam::444455556666:role/release",
}


NO_PAGES = ("live", "static/{name}", "explorer/picture.css")  # a stream, and files
NO_PAGES += ("class/{name}",)  # which takes a class: test_labs_pages.py
MORE = """
issuers: {ci: {preset: gitlab}}
saml_idps: {corp: {groups: {engineers: ["arn:aws:iam::111122223333:role/developer"]}, users: {jane: {groups: engineers}}}}
accounts:
  "111122223333":
    saml_providers: {corp: {idp: corp}}
    trust_anchors: {lab: {private_ca: Lab authority}}
    roles_anywhere_profiles: {workloads: {roles: developer}}
    user_pools: {shop: {clients: {web: {}}, users: {jane: {password: "Correct-horse-1"}}}}
"""


@pytest.fixture
def walked(aws):
    aws.load(MORE)
    tries(aws)
    return aws


SHOWN = ("timeline", "attempt", "replay", "role", "workbench")


def picture(page, name: str) -> None:
    """Renew a picture of the docs, when asked to with CONSOLE_PICTURES=1."""
    if os.environ.get("CONSOLE_PICTURES") and name in SHOWN:
        page.screenshot(path=PICTURES / f"console-{name}.png")


@cache
def declared() -> frozenset[str]:
    """Every page of the console that a browser can be sent to, whatever room declares it, as it declares it."""
    create_server(Settings())
    for place, modules in PAGES_OF_ROOMS.items():
        if place.split("/")[0] == "_emulator":
            for module in modules:
                importlib.import_module(module)
    paths = {"/".join(page.path[1:]) for page in routes._PAGES["_emulator"] if page.method == "GET"}
    return frozenset(paths - set(NO_PAGES))


def pattern_of(place: str) -> str:
    page, _ = routes.match("GET", f"/_emulator/{place}".partition("?")[0])
    return "/".join(page.path[1:])


def every_page(aws, places: dict[str, str]) -> dict[str, str]:
    """These places, and one for each other page that is declared: by its own address, or by a link that leads there."""
    missing = declared() - {pattern_of(place) for place in places.values()}
    all_places = places | {pattern: pattern for pattern in sorted(missing) if "{" not in pattern}
    waiting, root = list(all_places.values()), f"/w/{aws.world}/_emulator/"
    while waiting and (missing := declared() - {pattern_of(place) for place in all_places.values()}):
        page = visit(console(aws, waiting.pop(0)))
        for link in page.tree.xpath("//a/@href"):
            place = link.removeprefix(root).partition("#")[0]
            if link.startswith(root) and pattern_of(place) in missing:
                missing -= {pattern_of(place)}
                all_places[place] = place
                waiting.append(place)
    assert not missing, "no link leads to these, and PAGES has no example of them"
    return all_places


def examined(page, name: str, url: str) -> None:
    """What can be wrong with a page in any width: the window is drawn wider, and the page not asked for anew."""
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    assert page.goto(url).status == (404 if name == "refused" else 200), name
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if width != WIDTHS[1]:  # axe takes most of the time, and looks at the narrowest and the widest
            assert serious(page, colours=width == WIDTHS[-1]) == [], (name, width)
        is_narrow_enough(page, name, width)


def is_narrow_enough(page, name: str, width: int) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"{name} is {wide} wide at {width}"


@pytest.mark.parametrize("theme", THEMES)
def test_every_page_in_every_width(walked, chromium, theme):
    page = window(chromium, theme=theme)
    ids = {
        "denied": event_of(walked, "AssumeRoleWithWebIdentity", "denied"),
        "allowed": event_of(walked, "AssumeRoleWithWebIdentity", "allowed"),
        "signature": event_of(walked, "GetCallerIdentity", "denied"),
    }
    places = every_page(walked, {name: path.format(**ids) for name, path in PAGES.items()})
    for name, path in places.items():
        examined(page, name, console(walked, path))
        if theme == "light":
            page.set_viewport_size({"width": 1280, "height": 800})
            picture(page, name)
    assert [told for told in page.complaints if "404" not in told] == []


MADE = (
    ("attempts/last/replay", "button:text-is('Replay') >> nth=0"),  # first, as what follows is the last attempt then
    ("workbench", "text=github, as it comes"),
    ("workbench", "text=jane of corp"),
    ("workbench", ".presets >> text=a workload"),
    ("workbench", ".presets >> text=jane of shop"),
    ("workbench", ".presets button:text-is('jane')"),
    ("explorer/role?arn=arn:aws:iam::444455556666:role/release", "button:text-is('Check')"),
    ("world?amount=2&unit=hours", "text=See what ends"),
)


@pytest.mark.parametrize("theme", THEMES)
def test_what_a_click_makes_in_every_width(walked, chromium, theme):
    page = window(chromium, theme=theme)
    for place, button in MADE:
        page.goto(console(walked, place))
        with page.expect_navigation():
            page.click(button)
        assert page.locator("#wrong").count() == 0, (place, button)
        assert serious(page) == [], button
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            is_narrow_enough(page, button, width)
    assert page.complaints == []


def test_by_keyboard_alone(walked, chromium):
    page = window(chromium)
    page.goto(console(walked))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "what":
            break
    assert page.evaluate("document.activeElement.className") == "what"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
