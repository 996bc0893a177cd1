"""Labs in the browser: a learner goes through five of them, with and without scripts, and a teacher looks on."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import pytest
from browsers import serious
from console_lab import THEMES, WIDTHS, visit, window

from sts_emulator.cli.control import Control
from sts_emulator.cli.learner import Learner
from sts_emulator.labs import proof, shelf

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
NUMBERS = itertools.count(1)
LONGER = [pytest.param(lab, marks=pytest.mark.clients) for lab in ("cognito", "roles-anywhere")]


@pytest.fixture
def learner(school):
    """Somebody of a class, whose world is there and empty."""
    with Control(school) as control:
        world = f"pages{os.getpid()}-{next(NUMBERS):02}"
        control.api("POST", "worlds", body={"name": world})
        somebody = Learner(control, world)
        yield somebody
        somebody.close()
        control.api("DELETE", "worlds", world)


def labs(learner: Learner, path: str = "") -> str:
    return f"{learner.endpoint}/_emulator/labs{path}"


def picture(page, name: str) -> None:
    """Renew a picture of the docs, when asked to with CONSOLE_PICTURES=1."""
    if os.environ.get("CONSOLE_PICTURES"):
        page.screenshot(path=PICTURES / f"labs-{name}.png")


def press(page, button: str) -> None:
    """Press a button whose form leads to another page, and be there."""
    with page.expect_navigation(timeout=120_000):
        page.get_by_role("button", name=button, exact=True).click()


def do(hands, lab: str, step: str) -> None:
    """What the step's commands do, with an unmodified client."""
    function = vars(shelf.module(lab)).get(step.replace("-", "_"))
    if function is not None:
        function(hands)


SHOWN = {"saml": ("prediction", "wrap"), "cognito": ("guest", "staff")}
"""Which step of a lab is shown in the docs, and as which picture."""


@pytest.mark.parametrize("lab", ["saml", "confused-deputy", "choosing", *LONGER])
def test_a_learner_goes_through_a_lab(learner, chromium, lab):
    # Given somebody who opens the list of labs, and begins this one
    page = window(chromium, width=1280)
    page.goto(labs(learner))
    assert page.locator("#solved strong").text_content() == "0"
    page.get_by_role("link", name=shelf.lab(lab).title).click()
    press(page, "Begin")

    # When they check at once, they are told what is wrong
    press(page, "Check")
    assert page.locator("#checks li.open").count() > 0
    assert page.locator("#checks li.open p").first.text_content()
    page.goto(labs(learner, f"/{lab}"))

    # And then predict and do each step, the prediction is scored without loading the page again
    hands = learner.hands(lab)
    for name, step in shelf.lab(lab, learner.values(lab)).steps.items():
        if step.predict is not None:
            form = page.locator(f"#step-{name} form")
            said = step.predict.layer if step.predict.answer == "deny" else "allow"
            form.locator(f"input[value={said}]").check()
            form.get_by_role("button").click()
            page.locator(f"#came-{name}", has_text="Now run the commands").wait_for(timeout=120_000)
        do(hands, lab, name)
        if step.predict is not None:
            page.locator(f"#came-{name}", has_text="✓ right").wait_for(timeout=120_000)
            assert page.locator(f"#came-{name} .because").text_content().strip()
    hands.close()
    if lab in SHOWN:
        name, step_name = SHOWN[lab]
        page.locator(f"#step-{step_name}").scroll_into_view_if_needed()
        picture(page, name)
    press(page, "A hint")
    assert page.locator("#hints ol > li").count() == 1
    press(page, "Check")

    # Then it is solved, in the browser and in the terminal
    assert page.locator("#checks li.open").count() == 0
    if lab == "roles-anywhere":
        page.locator("#checks").scroll_into_view_if_needed()
        picture(page, "solved")
    assert learner.read(lab)["state"] == "solved"
    page.goto(labs(learner))
    assert "✓ solved" in page.locator(f"[data-lab={lab}]").text_content()
    assert page.complaints == []


def boxes(elements) -> list[dict[str, float]]:
    return [elements.nth(number).bounding_box() for number in range(elements.count())]


def test_a_teacher_looks_on(school, chromium):
    # Given a class in which one has solved a lab, one is in the middle of it, one takes hints, and one has not begun
    with Control(school) as control:
        ann, ben, eva, tom = learners = [Learner(control, f"monday-{number:02}") for number in range(1, 5)]
        for learner in learners:
            control.api("POST", "worlds", body={"name": learner.world})
        for learner in (ann, ben, eva):
            learner.start("confused-deputy")
        proof.solve(ann, "confused-deputy")
        hands = ben.hands("confused-deputy")
        for step in ("audit", "borrow"):
            do(hands, "confused-deputy", step)
        eva.hint("confused-deputy")
        for learner in (ann, ben, eva):
            learner.check("confused-deputy")

        # When the teacher looks, they see who is where, and what the last check said
        page = window(chromium, width=1280)
        page.goto(f"{school}/_emulator/class/monday")
        rows = {learner.world: page.locator(f"tr[data-world={learner.world}]") for learner in learners}
        assert "✓ solved" in rows[ann.world].text_content()
        assert "2/5" in rows[ben.world].text_content()
        assert "You have not been Mallory yet" in rows[eva.world].text_content()
        assert "nothing" in rows[tom.world].text_content()
        heads, cells = page.locator("thead th"), rows[ben.world].locator("th, td")
        assert [head["x"] for head in boxes(heads)] == [cell["x"] for cell in boxes(cells)], "each under its head"
        picture(page, "class")

        # And when somebody goes on, it is seen without loading the page again
        do(hands, "confused-deputy", "repair")
        ben.check("confused-deputy")
        page.locator(f"tr[data-world={ben.world}]", has_text="✓ solved").wait_for(timeout=120_000)

        # And a timeline can be projected: it follows what its learner does
        page.get_by_role("link", name=f"Timeline of {ben.world}").click()
        page.wait_for_load_state()
        do(hands, "confused-deputy", "refused")
        page.get_by_text("AssumeRole").first.wait_for(timeout=120_000)
        picture(page, "timeline")
        hands.close()
        for learner in learners:
            control.api("DELETE", "worlds", learner.world)
    assert page.complaints == []


def test_it_works_without_scripts(learner, chromium):
    page = window(chromium, java_script_enabled=False)
    page.goto(labs(learner, "/saml"))
    press(page, "Begin")
    page.locator("#step-wrap input[value=proof]").check()
    with page.expect_navigation():
        page.locator("#step-wrap").get_by_role("button", name="Predict").click()
    assert "You said: deny, by proof" in " ".join(page.locator("#came-wrap").text_content().split())
    press(page, "Show one way")
    assert page.locator("[id^=solution-]").count() == 1
    press(page, "Check")
    assert page.locator("#checks li.open").count() > 0
    press(page, "Reset")

    # What was predicted and shown is forgotten
    assert page.locator("#came-wrap").text_content().strip() == ""
    assert page.locator("[id^=solution-]").count() == 0


def test_what_was_done_in_the_terminal_is_there(learner):
    learner.start("saml")
    learner.predict("saml", "wrap", "deny", "trust")
    hands = learner.hands("saml")
    do(hands, "saml", "wrap")
    hands.close()
    learner.hint("saml")
    shown = visit(labs(learner, "/saml"))

    assert "denied it is, but by proof" in shown.texts("//*[@id='came-wrap']/p[1]")[0]
    assert len(shown.tree.xpath("//*[@id='hints']/ol/li")) == 1
    assert "default-src 'none'" in shown.headers["content-security-policy"]


@pytest.mark.parametrize("theme", THEMES)
def test_every_page_in_every_width(learner, chromium, theme):
    learner.start("confused-deputy")
    learner.predict("confused-deputy", "audit", "allow")
    learner.note_solution("confused-deputy")
    server = learner.endpoint.partition("/w/")[0]
    class_name = learner.world.rpartition("-")[0]
    pages = {
        "list": labs(learner),
        "lab": labs(learner, "/confused-deputy"),
        "another": labs(learner, "/saml"),
        "default": f"{server}/_emulator/labs",
        "classes": f"{server}/_emulator/class",
        "class": f"{server}/_emulator/class/{class_name}",
    }
    page = window(chromium, theme=theme)
    for name, url in pages.items():
        assert page.goto(url).status == 200, name
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            if width != WIDTHS[1]:  # axe takes most of the time, and looks at the narrowest and the widest
                assert serious(page, colours=width == WIDTHS[-1]) == [], (name, width)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} wide at {width}"
        if theme == "light" and name in ("list", "lab"):
            page.set_viewport_size({"width": 1280, "height": 800})
            picture(page, name)
    assert page.complaints == []


def test_by_keyboard_alone(learner, chromium):
    learner.start("saml")
    page = window(chromium)
    page.goto(labs(learner, "/saml"))
    page.locator("#step-enter input[value=allow]").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.locator("#came-enter", has_text="You said: allow").wait_for(timeout=120_000)


def test_a_foreign_page_begins_nothing(learner):
    answer = visit(labs(learner, "/saml/start"), b"", Origin="https://evil.example", Sec_Fetch_Site="cross-site")
    assert answer.status == 403
    assert learner.overview()[5]["state"] == "new"


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/nothing", None, 404, "no lab `nothing`"),
        ("/saml/check", b"", 409, "has not begun"),
        ("/saml/predictions", b"step=wrap&answer=allow", 409, "has not begun"),
        ("/saml/predictions", b"step=wrap&answer=perhaps", 400, "Choose an answer first"),
        ("/nothing/start", b"", 404, "no lab `nothing`"),
        ("/%3Cscript%3E", None, 404, "no lab"),
    ],
)
def test_what_cannot_be_is_told(learner, path, body, status, told):
    answer = visit(labs(learner, path), body)
    assert answer.status == status
    assert told in " ".join(answer.tree.text_content().split())
    assert "<script>" not in re.sub(r'<script src="[^"]+" defer></script>', "", answer.text)
