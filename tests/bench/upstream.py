"""The least that an upstream can be: one object of 1 KiB, in buckets without policies. `python upstream.py PORT`."""

from __future__ import annotations

import asyncio
import sys

import uvloop

OBJECT = b"x" * 1024
BUCKETS = b"<ListAllMyBucketsResult><Buckets><Bucket><Name>bucket</Name></Bucket></Buckets></ListAllMyBucketsResult>"
NO_POLICY = b"<Error><Code>NoSuchBucketPolicy</Code></Error>"


class Bucket(asyncio.Protocol):
    """One connection; each request comes whole."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET / "):
            self._answer(b"200 OK", BUCKETS)
        elif data.startswith(b"GET /health"):
            self._answer(b"200 OK", b"ok")
        elif b"?policy" in data.split(b"\r\n", 1)[0]:
            self._answer(b"404 Not Found", NO_POLICY)
        else:
            self._answer(b"200 OK", OBJECT)

    def _answer(self, status: bytes, body: bytes) -> None:
        head = b'HTTP/1.1 %s\r\ncontent-type: binary/octet-stream\r\ncontent-length: %d\r\netag: "e"\r\n\r\n'
        self.transport.write(head % (status, len(body)) + body)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Bucket, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
