"""What was used, by principal: JSON lines from which least policies are made (`serve --record`)."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.vending import questions
from sts_emulator.vending.context import Consulted, Context

log = logging.getLogger("emulator")

_PARTIAL: Final = "DeleteObjects"  # the one call that does what is allowed of it and leaves the rest
_VOLATILE: Final = (
    *("aws:currenttime", "aws:epochtime", "aws:tokenissuetime", "aws:multifactorauthage", "s3:signatureage"),
    "s3:x-amz-content-sha256",
)
"""Keys whose value differs from call to call: two uses that differ in these alone are one."""
_MOST: Final = 200_000
"""Uses that are told apart; what comes after these is written again when it comes again."""


class UsageFile:
    """Appends each use once: which principal was allowed which action on which resource, with what policies.

    Policies are written once each, and named by their digest.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, to append. Raises OSError."""
        self._stream: IO[str] = path.open("a", encoding="utf-8")
        self._seen: set[int] = set()
        self._failed = False

    def note(self, ctx: Context, error: AwsError | None) -> None:
        """Write what a call used. A call that was refused used nothing, unless it is of those that do a part."""
        if ctx.caller is None or (error is not None and not _got_through(ctx)):
            return
        asked: dict[tuple[str, str], Consulted] = {}
        for consulted in ctx.decisions:  # the first of each: a narrowed session is asked for the same again
            asked.setdefault((consulted.request.action, consulted.request.resource), consulted)
        lines = [line for used in asked.values() if used.decision.allowed for line in self._lines(ctx, used)]
        if lines:
            self._write("".join(f"{line}\n" for line in lines))

    def _lines(self, ctx: Context, used: Consulted) -> Iterator[str]:
        if not self._is_new(_key(used)):
            return
        question = questions.kept(ctx.world, used)
        texts = question["policies"]
        named = {name: _named(value) for name, value in texts.items()}
        for text in _texts(list(texts.values())):
            if self._is_new(hash(text)):
                yield json.dumps({"policy": digest(text), "text": text})
        moment = clock.iso(int(ctx.world.now()))
        yield json.dumps({"at": moment, "operation": f"{ctx.service}:{ctx.operation}", **question, "policies": named})

    def _is_new(self, key: int) -> bool:
        if key in self._seen:
            return False
        if len(self._seen) < _MOST:
            self._seen.add(key)
        return True

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as error:
            if not self._failed:
                log.error("what is used can no longer be recorded: %s", error)  # noqa: TRY400 - its reason is enough
            self._failed = True


def _key(used: Consulted) -> int:
    """What tells a use from others. Most calls repeat one, so this is made of what is there, in a few microseconds."""
    request, policies = used.request, used.policies
    steady = dict(request.context)
    for name in _VOLATILE:
        steady.pop(name, None)
    documents = [policies.trust, policies.boundary, *policies.identity]
    documents += [None] if policies.session is None else [None, None, *policies.session]
    for level in (*policies.scps, *policies.rcps):
        documents += [None, *level]
    asked = (principal_of(used), request.principal.value, request.action, request.resource)
    return hash((asked, frozenset(steady.items()), *[document and document.text for document in documents]))


def _got_through(ctx: Context) -> bool:
    return ctx.operation == _PARTIAL or all(consulted.decision.allowed for consulted in ctx.decisions)


def digest(text: str) -> str:
    """How a policy is named in a recording."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _named(value: Any) -> Any:
    """Policies, however deep in lists, by their digests."""
    return [_named(item) for item in value] if isinstance(value, list) else value and digest(value)


def _texts(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, list):
            yield from _texts(item)
        elif item:
            yield item


class UnreadableError(Exception):
    """A recording that is none; the message names the line."""


def read(path: Path) -> Iterator[tuple[Mapping[str, Any], Consulted]]:
    """Each use of a recording, as it was written, and the question and its answer.

    Raises:
        UnreadableError: a line is no use and no policy.
        OSError: the file cannot be read.
    """
    policies: dict[str, str] = {}
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                entry = json.loads(line)
                if "policy" in entry:
                    policies[entry["policy"]] = entry["text"]
                    continue
                used = questions.restored({**entry, "policies": _whole(entry["policies"], policies)})
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                raise UnreadableError(f"{path}:{number}: no line of a recording of `serve --record`") from None
            yield entry, used


def _whole(value: Any, policies: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _whole(item, policies) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item, policies) for item in value]
    return None if value is None else policies[value]


def principal_of(used: Consulted) -> str:
    """The user or role whose policies count; root and federated users by their own ARN."""
    principal = used.request.principal
    return principal.role_arn or principal.user_arn or principal.value
