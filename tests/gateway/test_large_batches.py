"""Batches that need many decisions: others have their turn in between."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from door_lab import BUCKETS, MINE, NOT_FOUND, listening, written

from sts_emulator.app import create_server, handle, refuse
from sts_emulator.serving.front import Front
from sts_emulator.settings import Settings

DELETED = written(b"<DeleteResult></DeleteResult>")
STORED = written(b"{}", b"application/x-amz-json-1.0")

KEYS = "".join(f"<Object><Key>a/{number}</Key></Object>" for number in range(1_000))
ITEM = {"id": {"S": "1"}, **{f"attribute{number}": {"S": "x" * 100} for number in range(100)}}
WRITES = [{"Put": {"TableName": f"table{number}", "Item": ITEM}} for number in range(100)]

BATCHES = {
    "DeleteObjects": ("s3", "/photos", "delete=", "", f"<Delete>{KEYS}</Delete>", DELETED),
    "TransactWriteItems": (
        *("dynamodb", "/", "", "DynamoDB_20120810.TransactWriteItems"),
        *(json.dumps({"TransactItems": WRITES}), STORED),
    ),
}


@pytest.mark.parametrize("operation", BATCHES)
def test_nobody_waits_for_a_batch_to_be_decided(operation):
    service, path, query, target, body, answer = BATCHES[operation]
    authorization = f"AWS4-HMAC-SHA256 Credential={MINE}/20261130/us-east-1/{service}/aws4_request"
    headers = {"host": "localhost", "authorization": f"{authorization}, SignedHeaders=host, Signature={'0' * 64}"}
    headers |= {
        "x-amz-date": "20261130T000000Z",
        "content-length": str(len(body)),
        **({"x-amz-target": target} if target else {}),
    }
    told: list = []

    async def send(message) -> None:
        told.append(message)

    async def receive() -> dict:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    async def turns(call: asyncio.Task) -> tuple[float, float]:
        """What the loop's thread did between two turns of somebody else at most, and in all: seconds of CPU."""
        start = last = time.thread_time()
        longest = 0.0
        while not call.done():
            await asyncio.sleep(0)
            longest, last = max(longest, time.thread_time() - last), time.thread_time()
        return longest, last - start

    async def called() -> tuple[float, float]:
        front = Front(create_server(Settings(upstream=(upstream.url,), permissive=True)), handle, refuse)
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "scheme": "http",
            "query_string": query.encode(),
            "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await front(scope, receive, send)  # loads what the first call loads
        return await turns(asyncio.ensure_future(front(scope, receive, send)))

    with listening({b"GET / ": BUCKETS, b"GET ": NOT_FOUND, b"": answer}) as upstream:
        longest, whole = asyncio.run(called())
    assert told[0]["status"] == 200
    assert longest < whole / 4
