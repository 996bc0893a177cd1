"""Chromium without a screen, for tests of pages."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# One process fewer, which draws nothing that anybody sees: a seventh of its cost.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-software-rasterizer", "--in-process-gpu"]


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """The browser, of Playwright. Skips where one of the two is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@cache
def axe() -> str:
    """The script that axe is."""
    package = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    return package.Axe().axe_script


def serious(page: Any, *, colours: bool = True) -> list[list[str]]:
    """What axe finds serious on a page: labels, contrast, structure; each with the rule and the element.

    Contrast takes two thirds of its time, and one look at a page is enough: no colour depends on the width. Only rules
    that are not serious, or are experiments, need what it would load before.
    """
    if not page.evaluate("'axe' in window"):  # it stays when the window is drawn wider
        page.evaluate(axe())
    script = """
        (colours) => axe.run({
          resultTypes: ["violations"], preload: false, rules: {"color-contrast": {enabled: colours}},
        }).then(({violations}) => violations
          .filter(({impact}) => ["serious", "critical"].includes(impact))
          .flatMap(({id, nodes}) => nodes.map(({html}) => [id, html])))
    """
    return page.evaluate(script, colours)
