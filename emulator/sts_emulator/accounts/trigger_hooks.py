"""Hooks: where the Lambda functions that user pools name are on this machine, by ARN, and which URLs may be that.

A URL is written by whoever writes scenarios or has the control API, never by who calls AWS: a pool names only the ARN.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypedDict
from urllib.parse import urlsplit

from sts_emulator.core.hosts import is_loopback
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.settings import Settings


class Hook(TypedDict):
    """A function's ARN, and the URL that plays it."""

    arn: str
    url: str


HOOK: Final[Kind[Hook]] = Kind("trigger-hook")  # key: the ARN
MOST: Final = 200
"""Hooks of a world."""

_ARN = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]{1,30}:[0-9]{12}:function:[\w-]{1,64}(?::[\w$-]{1,128})?", re.ASCII)
_URL = re.compile(r"[!-~]{1,2000}")


def hooks(world: World) -> dict[str, str]:
    return {hook["arn"]: hook["url"] for hook in world.page(HOOK)}


def url_of(world: World, arn: str) -> str:
    """The URL that plays a function, or nothing."""
    hook = world.get(HOOK, arn)
    return hook["url"] if hook is not None else ""


def replace(world: World, wanted: Mapping[str, str]) -> None:
    """Make these the world's hooks, each of which `fault` finds nothing wrong with."""
    with world.unit(lock=True):
        for key, _ in world.page_keys(HOOK):
            world.take(HOOK, key)
        for arn, url in wanted.items():
            world.add(HOOK, arn, Hook(arn=arn, url=url))


def fault(arn: str, url: str, settings: Settings) -> str:
    """What is wrong with a hook, or nothing."""
    if not _ARN.fullmatch(arn):
        return f"`{arn[:200]}` is no ARN of a Lambda function"
    return hook_fault(url, settings)


def hook_fault(url: str, settings: Settings) -> str:
    """What is wrong with its URL, or nothing."""
    return url_fault(url, settings, settings.hook_host, "--hook-host")


def url_fault(url: str, settings: Settings, hosts: tuple[str, ...], option: str) -> str:
    """What is wrong with a URL that is to be asked, or nothing; `option` names the `hosts` that are allowed.

    This machine is allowed without, unless others than its users may call: an answer would tell them of its ports.
    """
    try:
        parts = urlsplit(url) if _URL.fullmatch(url) else urlsplit("")
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return f"`{url[:200]}` is no URL"
    if parts.scheme not in ("http", "https") or not host or parts.username is not None or parts.fragment:
        return f"`{url[:200]}` is no URL such as http://127.0.0.1:8000/hook"
    if host not in hosts and (settings.is_shared or not is_loopback(host)):
        what = "the machine of a server that asks for a token" if is_loopback(host) else "not this machine"
        return f"`{host[:200]}` is {what}; `serve {option} {host[:200]}` allows it"
    port = port or (443 if parts.scheme == "https" else 80)
    if is_loopback(host) and port in settings.own_ports:  # or a hook could be the control API
        return f"`{url[:200]}` is this server itself, or what is behind its door"
    return ""
