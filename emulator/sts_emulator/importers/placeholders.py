"""Values for what a file does not tell, of the form that their place in a policy asks for.

An unknown account is another account, an unknown principal a role of this one; what is made up is never blamed on the
author (analysis.linting).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

from sts_emulator.importers.inventory import compact

MARK: Final = "${unresolved:"
"""Begins what stands in for a value that is not known, until its place says of which form it must be."""
MADE_UP: Final = "made-up-"
KEPT: Final = frozenset({"SamlMetadataDocument", "SAMLMetadataDocument", "X509CertificateData"})
"""Members of which nothing can be made up."""

_GAP = re.compile(r"\$\{unresolved:([^{}]*)\}")
_IN_ACCOUNT = re.compile(r"arn:[^:]*:[^:]*:[^:]*:$")
_IN_REGION = re.compile(r"arn:[^:]*:[^:]*:$")
_IN_PARTITION = re.compile(r"arn:$")
_IN_SERVICE = re.compile(r"arn:[^:]*:$")
_NO_TEXT = re.compile(r"[${}\"\\\n]+")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9-]+")
_ROLE: Final = "arn:aws:iam::{account}:role/{plain}"
_USER: Final = "arn:aws:iam::{account}:user/{plain}"
_POLICY: Final = "arn:aws:iam::{account}:policy/{plain}"
_FORMS: Final[Mapping[str, str]] = {
    "AWS": _ROLE,
    "Federated": "arn:aws:iam::{account}:oidc-provider/{lower}.example.com",
    "Service": "ec2.amazonaws.com",
    "Action": "sts:AssumeRole",
    "NotAction": "sts:AssumeRole",
    "Resource": "arn:aws:s3:::{lower}",
    "NotResource": "arn:aws:s3:::{lower}",
    "Effect": "Allow",
    "Url": "https://{lower}.example.com",
    "PermissionsBoundary": _POLICY,
    "ManagedPolicyArns": _POLICY,
}
_BEFORE_PROJECTS: Final = ("repo:", "project_path:")
_FUNCTION = re.compile(r"^(?:Ref|Fn::[A-Za-z]+) ")


def marked(what: str) -> str:
    """What stands for a value that is not known; `what` says which, in words."""
    return f"{MARK}{_NO_TEXT.sub('', what)}}}"


def gap_in(value: object) -> str:
    """Which unknown value stands in a text, or first in a list of texts; empty: none."""
    texts = [item for item in value if isinstance(item, str)] if isinstance(value, list) else [value]
    gaps = (match[1] for text in texts if isinstance(text, str) and (match := _GAP.search(text)))
    return next(gaps, "")


class Filling:
    """Fills the gaps of one file's values; `made_up` tells what was filled in, by what it stands for."""

    def __init__(self, account: str, region: str) -> None:
        self._account = account
        self._region = region
        self.made_up: dict[str, str] = {}

    def filled(self, value: object, place: str = "") -> Any:
        """The value with every gap filled; `place` is the member that it stands under."""
        if isinstance(value, str):
            if MARK not in value or place in KEPT:
                return value
            return self._document(value) or self._text(value, place)
        if isinstance(value, list):
            return [self.filled(item, place) for item in value]
        if isinstance(value, Mapping):
            return {
                self._text(name, "") if MARK in name else name: self.filled(item, name if _is_place(name) else place)
                for name, item in value.items()
            }
        return value

    def _document(self, text: str) -> str:
        """A policy that was put together as text, filled by its places; empty for any other text."""
        if not text.lstrip().startswith("{"):
            return ""
        try:
            return compact(self.filled(json.loads(text)))
        except (ValueError, RecursionError):
            return ""

    def account(self, name: str) -> str:
        """An account that is not known: none that anybody writes, and the same for the same name."""
        return self._keep(f"9{crc32(name.encode()) % 10**11:011}", name)

    def _text(self, text: str, place: str) -> str:
        whole = _GAP.fullmatch(text)
        if whole:
            return self._whole(_name(whole[1]), place)
        made: list[str] = []
        end = 0
        for gap in _GAP.finditer(text):
            made.append(text[end : gap.start()])
            made.append(self._part(_name(gap[1]), "".join(made), text[gap.end() :]))
            end = gap.end()
        return "".join((*made, text[end:]))

    def _whole(self, name: str, place: str) -> str:
        """A value of which nothing is known but its name and place."""
        lowered = name.lower()
        if _is_account(name) and (place == "AWS" or place not in _FORMS):
            return self.account(name)
        form = _FORMS.get(place, "{plain}")
        if place == "AWS" and "user" in lowered:
            form = _USER
        elif form == "{plain}" and lowered.endswith("arn"):
            form = _POLICY if "polic" in lowered or "boundary" in lowered else _ROLE
        plain = f"{MADE_UP}{_plain(name)}"
        return self._keep(form.format(plain=plain, lower=plain.lower(), account=self._account), name)

    def _part(self, name: str, before: str, after: str) -> str:
        if _IN_ACCOUNT.search(before) or _is_account(name):
            return self.account(name)
        for pattern, plain in ((_IN_REGION, self._region), (_IN_SERVICE, "ec2"), (_IN_PARTITION, "aws")):
            if pattern.search(before):
                return plain
        if not before and after == ".amazonaws.com":
            return "ec2"
        text = f"{MADE_UP}{_plain(name)}"
        if before.endswith(("oidc-provider/", "://")):
            text = f"{text.lower()}.example.com"
        elif before.endswith(_BEFORE_PROJECTS) and not after.startswith("/"):  # an owner and its project, in one value
            text = f"{MADE_UP}owner/{_plain(name)}"
        return self._keep(text, name)

    def _keep(self, text: str, name: str) -> str:
        if MADE_UP in text or text.isdigit():  # what nobody writes by chance
            self.made_up[text] = name
        return text


def _is_place(name: str) -> bool:
    return name[:1].isupper() and name.isalpha()


def _is_account(name: str) -> bool:
    lowered = name.lower()
    return "account" in lowered and not lowered.endswith(("arn", "name", "alias", "email"))


def _name(gap: str) -> str:
    """`Ref Repo` as Repo: what people would write between `${` and `}`."""
    return _FUNCTION.sub("", gap)


def _plain(name: str) -> str:
    return _NOT_PLAIN.sub("-", name).strip("-")[:40].rstrip("-") or "value"
