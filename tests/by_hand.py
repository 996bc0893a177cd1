"""A person at a browser without scripts: cookies, pages, and their forms with what these hide."""

from __future__ import annotations

import httpx
from lxml import html


class Person:
    """`callback`: a place that is the tool's own, to which no page is asked for."""

    def __init__(self, base: str, callback: str = "") -> None:
        self.base, self.callback = base, callback
        self.http = httpx.Client(base_url=base, verify=False, follow_redirects=True)  # loading certificates: 40 ms
        self.page = None

    def open(self, place: str):
        self.page = self.http.get(place)
        return self

    @property
    def tree(self):
        return html.fromstring(self.page.text)

    @property
    def text(self) -> str:
        return " ".join(self.tree.xpath("string(//main)").split())

    @property
    def forms(self) -> list:
        return self.tree.xpath("//main//form")

    def send(self, ending: str = "", *, action: str = "", headers: dict | None = None, **fields: str):
        """Send the first form, or the first whose action ends so; with `action`, to another place than it says."""
        form = next(form for form in self.forms if form.get("action").endswith(ending))
        return self.fill(form, action or form.get("action"), fields, headers)

    def fill(self, form, action: str, fields: dict[str, str], headers: dict | None = None):
        hidden = {field.get("name"): field.get("value") for field in form.xpath(".//input[@type='hidden']")}
        url = str(self.page.url.join(action))
        self.page = self.http.post(url, data={**hidden, **fields}, headers=headers, follow_redirects=False)
        while self.page.is_redirect and not (self.callback and self.callback in self.page.headers["location"]):
            self.page = self.http.get(self.page.url.join(self.page.headers["location"]), follow_redirects=False)
        return self

    def forget(self):
        """As in a browser that was never here."""
        self.http.cookies.clear()
        return self
