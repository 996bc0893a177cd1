"""The control API's part about people: the messages that they got, and what they approve."""

from __future__ import annotations

from typing import Any, Self

from fastapi import APIRouter, HTTPException, Request
from pydantic import Field, model_validator

from sts_emulator.accounts import directory
from sts_emulator.console.dependencies import Beside, Strict, TheServer, TheWorld
from sts_emulator.core.errors import AwsError
from sts_emulator.core.spelling import meant
from sts_emulator.core.world import DEFAULT
from sts_emulator.pages import approvals, mailbox
from sts_emulator.pages.visit import Visit
from sts_emulator.wire import http

router = APIRouter(route_class=Beside)


class Approval(Strict):
    """Somebody approves, or denies, what a tool waits for."""

    code: str = Field(default="", max_length=20_000, description="the code that a device or tool shows")
    url: str = Field(default="", max_length=20_000, description="or the URL that it opened")
    user: str = Field(
        max_length=2_000,
        description="a person of Identity Center, or ACCOUNT/NAME, ACCOUNT/root, or POOL/NAME of a user pool",
    )
    deny: bool = False

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if bool(self.code) == bool(self.url):
            raise ValueError("say either code or url")
        return self


@router.get("/worlds/{world}/messages", summary="Messages that people got")
async def list_messages(world: TheWorld, to: str = "") -> list[dict[str, Any]]:
    """Mails and text messages, oldest first, of one address or number or of all: nothing is really sent."""
    return [dict(message) for message in mailbox.messages(world, to)]


@router.get("/worlds/{world}/identity-center", summary="The access portal and its roles")
async def identity_center(world: TheWorld, user: str = "") -> dict[str, Any]:
    """Start URL and home region of the world's first Identity Center, and the roles of a person, or of everybody."""
    instance = next(iter(directory.instances(world)), None)
    if instance is None:
        raise HTTPException(404, f"no Identity Center in world `{world.name}`")
    person = directory.user_by_name(world, instance["store"], user) if user else None
    if user and person is None:
        near = meant(user, (known["name"] for known in world.page(directory.USERS, f"{instance['store']}/")))
        raise HTTPException(404, f"Identity Center has no user `{user[:200]}`{near}")
    names = {known["arn"]: known["name"] for known in directory.permission_sets(world, instance)}
    reaching = (
        directory.assignments_of(world, instance, person)
        if person
        else [assignment for arn in names for assignment in directory.assignments(world, arn)]
    )
    roles = sorted({(assignment["account"], names[assignment["permission_set"]]) for assignment in reaching})
    return {
        "start_url": instance["start_url"],
        "region": instance["region"],
        "roles": [{"account": account, "name": name} for account, name in roles],
    }


@router.post("/worlds/{world}/approve", summary="Approve or deny a sign-in")
async def approve(request: Request, server: TheServer, world: TheWorld, approval: Approval) -> dict[str, str]:
    """As that person would on the page. `{"location": …}`: where a browser would go; `{"paste": …}`: what to paste."""
    visit = Visit(server, world, _request(request), _base_url(request, world.name))
    asked = approvals.Request(user=approval.user, code=approval.code, url=approval.url, deny=approval.deny)
    try:
        return (await approvals.approve(visit, asked)).to_json()
    except AwsError as refusal:
        raise HTTPException(refusal.status or 400, refusal.message or refusal.code) from None


@router.post("/worlds/{world}/scim", status_code=201, summary="A bearer token for SCIM")
async def create_scim_token(request: Request, world: TheWorld, instance: str = "") -> dict[str, Any]:
    """The endpoint, and a token that is good for a year, as the console of AWS shows them; AWS has no API for it.

    `instance` is the ARN of one, where the world has several.
    """
    from sts_emulator.accounts import directory, scim_tokens

    there = list(directory.instances(world))
    known = [candidate for candidate in there if instance in ("", candidate["arn"])]
    if not known:
        others = f"; there are {', '.join(candidate['arn'] for candidate in there)}" if there else ""
        asked = f"instance `{instance[:200]}`" if instance else "instance"
        raise HTTPException(404, f"no {asked} of Identity Center in world `{world.name}`{others}")
    if len(known) > 1:
        raise HTTPException(409, f"say which instance: {', '.join(candidate['arn'] for candidate in known)}")
    return dict(scim_tokens.create(world, _base_url(request, world.name), known[0]))


def _request(request: Request) -> http.Request:
    return http.Request(
        method=request.method,
        raw_path=request.url.path,
        signed_path=request.url.path,
        headers={"host": request.headers.get("host", ""), "user-agent": request.headers.get("user-agent", "")},
        client=request.client.host if request.client else "",
        scheme=request.url.scheme,
    )


def _base_url(request: Request, world: str) -> str:
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return own if world == DEFAULT else f"{own}/w/{world}"
