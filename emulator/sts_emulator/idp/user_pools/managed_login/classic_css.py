"""The style sheet of the classic pages: which one AWS takes, and what of it becomes a sheet of ours.

Source: docs/aws/cognito.md, "Managed login". A stranger's sheet has no business on a page that asks for passwords: the
sheet that browsers get is written anew, of known properties with plain values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_PLACES: Final = {  # class of the classic pages, with its state -> what it is here; "" is nowhere
    ".background-customizable": ".card",
    ".banner-customizable": "body > header",
    ".errorMessage-customizable": ".alert",
    ".idpButton-customizable": ".providers a",
    ".idpButton-customizable:hover": ".providers a:hover",
    ".idpDescription-customizable": ".card > h1",
    ".inputField-customizable": "form.card > input:not([type=hidden], [type=radio])",
    ".inputField-customizable:focus": "form.card > input:focus",
    ".label-customizable": "form.card > label",
    ".legalText-customizable": "",
    ".logo-customizable": ".logo img",
    ".passwordCheck-valid-customizable": "",
    ".passwordCheck-notValid-customizable": "",
    ".redirect-customizable": "form.card > .soft",
    ".socialButton-customizable": ".providers a",
    ".submitButton-customizable": "form.card > button",
    ".submitButton-customizable:hover": "form.card > button:hover",
    ".textDescription-customizable": "form.card > p:not(.soft, .alert)",
}
_SIDES = r"(?:-(?:top|right|bottom|left))?"
_PROPERTY = re.compile(
    rf"color|background(?:-color)?|border{_SIDES}(?:-(?:color|width|style))?|border-radius|padding{_SIDES}|margin{_SIDES}|"
    r"(?:max-|min-)?(?:height|width)|font-(?:size|weight|family|style)|line-height|text-(?:align|decoration|transform)"
)
_VALUE = re.compile(r"[#\w.,% -]{1,100}", re.ASCII)  # no brackets, so no url() and no other function
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"\s*([^{}]*?)\s*\{([^{}]*)\}\s*")


def check(css: str) -> None:
    """Raises ValueError: there is something in it that AWS does not take; the sentences are ours."""
    for selector, _ in _rules(css):
        if selector not in _PLACES:
            raise ValueError(f"{selector[:100] or 'An empty selector'} is not a class that can be customized.")


def rewritten(css: str) -> str:
    """A sheet for the pages here, of what they have a place for; the rest is only kept."""
    return "\n".join(
        f"{_PLACES[selector]} {{ {'; '.join(kept)} }}"
        for selector, block in _rules(css)
        if _PLACES.get(selector) and (kept := list(_declarations(block)))
    )


def _rules(css: str) -> Iterator[tuple[str, str]]:
    text, at = _COMMENT.sub("", css), 0
    if "@" in text or "/*" in text:
        raise ValueError("The CSS has an at-rule, or a comment without an end.")
    while at < len(text.rstrip()):
        rule = _RULE.match(text, at)
        if rule is None:
            raise ValueError("The CSS cannot be parsed.")
        for selector in rule[1].split(","):
            yield selector.strip(), rule[2]
        at = rule.end()


def _declarations(block: str) -> Iterator[str]:
    for declaration in block.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if _PROPERTY.fullmatch(name.lower()) and _VALUE.fullmatch(value):
            yield f"{name.lower()}: {value}"
