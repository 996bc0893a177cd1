"""XML that strangers wrote: parsed without DTDs, entities, processing instructions, network or deep nesting.

Everything is refused before or while it is parsed, never after something was expanded or opened.
"""

from __future__ import annotations

import re
from typing import Any, Final

MAX_DEPTH: Final = 32
"""Levels of elements; a SAML response with an encrypted assertion or nested attribute values has about a dozen."""

MAX_ELEMENTS: Final = 20_000
"""Elements of one document: federation metadata with hundreds of providers stays below."""

MAX_ATTRIBUTES: Final = 100
"""Attributes of one element: canonicalization sorts them, in quadratic time."""

_MARKUP = re.compile(r"<!(?!--|\[CDATA\[)|<\?")
_DECLARATION = re.compile(r"<\?xml[ \t\r\n][^<>]{0,200}\?>")


class UnsafeXmlError(ValueError):
    """The text is no XML, or XML with something in it that no honest document of its kind has."""


def parse(data: bytes, *, max_bytes: int) -> Any:
    """The root element of a UTF-8 document, without its comments; text split by comments or CDATA is joined.

    Raises:
        UnsafeXmlError: larger than `max_bytes`; not UTF-8 or not well-formed; a DTD or processing instruction; nested
            deeper than MAX_DEPTH; a namespace that is no absolute URI, which canonicalization cannot express.
    """
    from lxml import etree

    if len(data) > max_bytes:
        raise UnsafeXmlError(f"larger than {max_bytes} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        raise UnsafeXmlError("not UTF-8") from bad
    # A DTD is refused here, on the text: once the parser has seen it, entities are already declared. Only UTF-8 gets
    # this far, so that no other encoding can hide the characters.
    body = _DECLARATION.sub("", text.lstrip(), count=1) if text.lstrip().startswith("<?xml") else text
    if "\0" in text or _MARKUP.search(body):
        raise UnsafeXmlError("a DTD, a processing instruction or a NUL")
    try:
        root = etree.fromstring(text.strip(" \t\r\n").encode(), _parser())
    except etree.XMLSyntaxError as bad:
        raise UnsafeXmlError("not well-formed") from bad
    _check(root, etree)
    return root


def _parser() -> Any:
    from lxml import etree

    return etree.XMLParser(
        encoding="utf-8",  # whatever the declaration says
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=False,
        strip_cdata=True,
    )


def _check(root: Any, etree: Any) -> None:
    depth = elements = 0
    for event, node in etree.iterwalk(root, events=("start", "end", "start-ns")):
        if event == "start":
            depth += 1
            elements += 1
            if depth > MAX_DEPTH or elements > MAX_ELEMENTS or len(node.attrib) > MAX_ATTRIBUTES:
                raise UnsafeXmlError("nested too deep, or too many elements or attributes")
        elif event == "end":
            depth -= 1
        elif node[1] and ":" not in node[1]:
            raise UnsafeXmlError("a relative namespace")
