"""What the subjects and audiences of known issuers' tokens look like, and whether a pattern of a policy fits any.

Source: docs/aws/oidc-issuers.md, "Other issuers". GitHub's subjects can be composed anew, so only what it surely
never issues is told of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sts_emulator.policy.deciding.matching import has_wildcard
from sts_emulator.policy.light_dataclass import dataclass

_PART: Final = re.compile(r"<([^<>]+)>|(.)")
_HEX: Final = frozenset("0123456789abcdef")
_CLASSES: Final[Mapping[str, frozenset[str]]] = {
    "uuid": _HEX | {"-"},
    "digits": frozenset("0123456789"),
    "commit": _HEX,
}
"""Parts of which the characters are known; any other part holds whatever is not in what ends it."""


@dataclass(frozen=True, slots=True)
class Form:
    """How an issuer composes a claim. In `texts` `<name>` is a part of one or more characters.

    `changes` is the part that is another with every run, `strangers` are claims of others, and `never` finds what
    looks like a claim of the form and is none.
    """

    issuer: str
    texts: tuple[str, ...]
    changes: str = ""
    strangers: tuple[str, ...] = ()
    never: str = ""

    @property
    def shown(self) -> str:
        """For people."""
        return self.texts[0]


_UUID: Final = "9b2d4c6e-1f0e-4d56-9a4e-2b1c7e9f0a11"
SUBJECTS: Final[Mapping[str, Form]] = {
    "gitlab.com": Form(
        "GitLab",
        ("project_path:<path>:ref_type:branch:ref:<ref>", "project_path:<path>:<any>", "project_path:<path>"),
        strangers=("project_path:evil/x:ref_type:branch:ref:main",),
        never=r":ref:refs/(?:heads|tags)/|^project_path:[^:]*:(?:branch|tag|main|master)(?::|$)",
    ),
    "app.terraform.io": Form(
        "HCP Terraform",
        (
            "organization:<name>:project:<name>:workspace:<name>:run_phase:plan",
            "organization:<name>:project:<name>:workspace:<name>:run_phase:apply",
        ),
        strangers=("organization:evil:project:x:workspace:x:run_phase:apply",),
    ),
    "agent.buildkite.com": Form(
        "Buildkite",
        ("organization:<name>:pipeline:<name>:ref:refs/<ref>:commit:<commit>:step:<step>",),
        "commit",
        ("organization:evil:pipeline:x:ref:refs/heads/main:commit:0a1b2c:step:x",),
    ),
    "oidc.circleci.com": Form(
        "CircleCI",
        ("org/<uuid>/project/<uuid>/user/<uuid>", "org/<uuid>/project/<uuid>/user/<uuid>/vcs-origin/<any>"),
        strangers=(f"org/{_UUID}/project/{_UUID}/user/{_UUID}",),
    ),
    "oidc.eks": Form(
        "EKS", ("system:serviceaccount:<name>:<name>",), strangers=("system:serviceaccount:kube-system:default",)
    ),
    "api.bitbucket.org": Form(
        "Bitbucket", ("{<uuid>}:{<uuid>}", "{<uuid>}:{<uuid>}:{<uuid>}"), "step", (f"{{{_UUID}}}:{{{_UUID}}}",)
    ),
    "accounts.google.com": Form("Google", ("<digits>",), strangers=("117039240000000000001",)),
    "sts.windows.net": Form("Microsoft Entra", ("<uuid>",), strangers=(_UUID,)),
}
AUDIENCES: Final[Mapping[str, Form]] = {
    "oidc.circleci.com": Form("CircleCI", ("<uuid>",)),
    "api.bitbucket.org": Form("Bitbucket", ("ari:cloud:bitbucket::workspace/<uuid>",)),
}


def form_of(issuer: str, forms: Mapping[str, Form]) -> Form | None:
    """The form of an issuer, which a policy's condition key names in any case; None for one that is not known."""
    lowered = issuer.lower()
    return forms.get("oidc.eks") if lowered.startswith("oidc.eks.") else forms.get(lowered.partition("/")[0])


def may_issue(form: Form, text: str, *, wild: bool) -> bool:
    """Whether any claim of that form fits a policy's value, in which `*` and `?` are wildcards where it is `wild`."""
    if form.never and re.search(form.never, text):
        return False
    return any(_meet(text, _parts(shape), wild=wild) for shape in form.texts)


def once(form: Form, text: str, *, wild: bool) -> bool:
    """Whether a value fits claims of one run only: nothing in it is left open, up to the part that changes."""
    return may_issue(form, text, wild=wild) and not (wild and ("*" in text or "?" in text))


_Part = tuple[frozenset[str], frozenset[str], bool]
"""The characters that are allowed (empty: any), those that are not, and whether there may be more of them."""


def _parts(shape: str) -> list[_Part]:
    parts: list[_Part] = []
    written = list(_PART.finditer(shape))
    for number, match in enumerate(written):
        if match[2]:
            parts.append((frozenset(match[2]), frozenset(), False))
            continue
        ends = written[number + 1][2] if number + 1 < len(written) else ""
        allowed, refused = _CLASSES.get(match[1], frozenset()), frozenset(ends or "")
        parts += [(allowed, refused, False), (allowed, refused, True)]
    return parts


def _meet(text: str, parts: list[_Part], *, wild: bool) -> bool:
    """Whether a pattern and a form have a text in common: a walk over both at once."""
    waiting, seen = [(0, 0)], {(0, 0)}
    while waiting:
        at, part = waiting.pop()
        if at == len(text) and part == len(parts):
            return True
        following = []
        if at < len(text) and wild and text[at] == "*":
            following = [(at + 1, part), (at, part + 1)]
        elif part < len(parts) and at < len(text) and _fits(text[at], parts[part], wild=wild):
            following = [(at + 1, part if parts[part][2] else part + 1)]
        if part < len(parts) and parts[part][2]:
            following.append((at, part + 1))
        for place in following:
            if place not in seen and place[1] <= len(parts):
                seen.add(place)
                waiting.append(place)
    return False


def _fits(character: str, part: _Part, *, wild: bool) -> bool:
    if wild and character == "?":
        return True
    allowed, refused, _ = part
    return (not allowed or character.lower() in allowed) and character not in refused


def never_on_github(text: str) -> str:  # noqa: PLR0911 # one return per reason
    """Why no token of GitHub Actions has such a subject; empty for what may be one, also a customized one."""
    if "://" in text or text.startswith("github.com/"):
        return "it names no URL"
    if not text.startswith("repo:"):
        return ""
    name, _, tail = text.removeprefix("repo:").partition(":")
    if name.startswith("github.com/"):
        return "the repository is named without its host"
    if has_wildcard(name):
        return ""
    if not tail:
        return "the name of the repository is followed by what runs"
    kind, _, rest = tail.partition(":")
    if kind == "ref" and rest and not has_wildcard(rest[:5]) and not rest.startswith("refs/"):
        return "a ref begins with refs/heads/ or refs/tags/"
    return f"there is no claim {kind}" if kind in ("branch", "tag", "heads", "refs", "main", "master") else ""
