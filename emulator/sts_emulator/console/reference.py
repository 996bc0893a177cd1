"""The page `/_emulator/docs`: what the control API offers, from its own description, without a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import Request, Response

from sts_emulator.pages import render


async def reference_page(request: Request) -> Response:
    document = request.app.openapi()
    page = render.page("reference.html", "", title=document["info"]["title"], calls=list(_calls(document)))
    return Response(page.body, page.status, dict(page.headers))


def _calls(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            yield {
                "method": method.upper(),
                "path": path,
                "summary": call.get("summary", ""),
                "description": call.get("description", ""),
                "parameters": [_parameter(parameter) for parameter in call.get("parameters", ())],
                "members": list(_members(document, call)),
                "media": next(iter(call.get("requestBody", {}).get("content", {})), ""),
            }


def _parameter(parameter: Mapping[str, Any]) -> dict[str, str]:
    return {
        "name": parameter["name"],
        "place": parameter["in"],
        "kind": _kind(parameter["schema"]),
        "told": parameter.get("description", ""),
    }


def _members(document: Mapping[str, Any], call: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for content in call.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        schema = schema.get("items", schema)
        model = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
        for name, member in model.get("properties", {}).items():
            needed = " (needed)" if name in model.get("required", ()) else ""
            yield {"name": name, "kind": _kind(member) + needed, "told": member.get("description", "")}


def _kind(schema: Mapping[str, Any]) -> str:
    """The type of a value in a word or two."""
    if "enum" in schema:
        return " or ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    return str(schema.get("type", schema.get("$ref", "").rpartition("/")[2]))
