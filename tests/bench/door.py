"""GetObject of 1 KiB: of the server itself or through the door, as botocore signs it."""

from __future__ import annotations

import botocore.awsrequest
import botocore.session
from botocore.config import Config

from tests.bench.servers import Running

ROOT = ("AKIARTX3GSDSAAAAAAAA", "bench-root-secret")
BUCKET, KEY = "bench", "object"
_ONCE = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})


def client(server: Running):
    session = botocore.session.get_session()
    session.set_credentials(*ROOT)
    url = f"http://127.0.0.1:{server.port}"
    return session.create_client("s3", region_name="us-east-1", endpoint_url=url, config=_ONCE)


def put_object(server: Running) -> None:
    s3 = client(server)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"x" * 1024)


def get_object(server: Running) -> bytes:
    """The request; it may be sent again and again."""
    s3, captured = client(server), []

    def capture(request, **_):
        lines = [
            f"{name}: {value if isinstance(value, str) else value.decode()}"
            for name, value in request.headers.items()
            if name.lower() != "host"  # which some versions of botocore bring along; twice, it is not what was signed
        ]
        head = [f"GET /{BUCKET}/{KEY} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", *lines]
        captured.append(("\r\n".join(head) + "\r\n\r\n").encode())
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, None)

    s3.meta.events.register("before-send.s3.GetObject", capture)
    s3.get_object(Bucket=BUCKET, Key=KEY)
    return captured[0]
