"""Pages `v1/authorize` and its confirmation: who is signed in to the console lets a tool act for them, or does not."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from sts_emulator.methods.console_login import authorizing
from sts_emulator.pages import render
from sts_emulator.pages.console import COOKIE, arn_of, present, signed_in
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response


@page("GET", "/v1/authorize", refusal=as_page)
def question(visit: Visit) -> Response:
    asked = authorizing.read(visit, visit.query)
    console = signed_in(visit)
    if console is None:
        place = f"/v1/authorize?{visit.request.query}"
        return render.redirect(f"{visit.root}/signin?{urlencode({'then': place})}")
    target = urlsplit(asked.redirect)
    return render.page(
        "consent.html",
        visit.root,
        posts_to=[f"{target.scheme}://{target.netloc}"],
        tool="a tool on another machine" if asked.remote else "a tool on this machine",
        person=arn_of(console.session),
        user_code="",
        scopes=(),
        action="/v1/authorize",
        values={name: value for name, value in visit.query.items() if name in authorizing.MEMBERS},
        token=COOKIE.form_token(visit, asked.challenge),
    )


@page("POST", "/v1/authorize", refusal=as_page)
def answer(visit: Visit) -> Response:
    asked = authorizing.read(visit, visit.posted)
    console = present(visit)
    COOKIE.check_form(visit, asked.challenge)
    if visit.posted.get("answer") != "allow":
        if asked.remote:
            return render.page("told.html", visit.root, title="Request denied. You can close this window.", again="/")
        return render.redirect(asked.denied())
    with visit.attempt("signin", "AuthorizeOAuth2Access", asked.parameters()) as attempt:
        members = asked.granted(attempt.ctx, console.session)
    if not asked.remote:
        return render.redirect(asked.location(members))
    return render.page("pasted.html", visit.root, text=authorizing.pasted(members))


@page("GET", "/v1/sessions/confirmation", refusal=as_page)
def confirmation(visit: Visit) -> Response:
    """Where AWS shows the code to paste. Here the answer to the form shows it, so that it stands in no address."""
    return render.page("told.html", visit.root, title="Go back to the window with the code to paste.", again="/console")
