"""What the first of several workers answers for the others: only one process can open a listener, and close it."""

from __future__ import annotations

import ssl

import httpx
from fastapi import HTTPException, Request, Response

_BROWSERS = ("origin", "referer")  # the other worker's guard has judged them, by the address that was asked
_PATIENCE = 30.0  # seconds: the first worker may be starting again


class Relayed(Exception):  # noqa: N818 - no error: the answer, which stands for that of this worker
    """A request was answered elsewhere."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


async def relay(request: Request) -> None:
    """Have the first worker answer. Raises Relayed with its answer."""
    headers = {name: value for name, value in request.headers.items() if name not in _BROWSERS and name[:4] != "sec-"}
    unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it is http: else httpx would read all authorities, for 25 ms
    transport = httpx.AsyncHTTPTransport(verify=unused, uds=request.app.state.first)
    try:
        async with httpx.AsyncClient(transport=transport, timeout=_PATIENCE, trust_env=False) as client:
            url = request.url.replace(scheme="http")
            answer = await client.request(request.method, str(url), headers=headers, content=await request.body())
    except httpx.TransportError as error:
        raise HTTPException(503, f"the worker that opens listeners does not answer ({error})") from None
    media_type = answer.headers.get("content-type")
    raise Relayed(Response(answer.content, answer.status_code, media_type=media_type))
