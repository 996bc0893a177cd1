"""GetObject of 1 KiB: of the server itself or through the door, as botocore signs it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import botocore.awsrequest
import botocore.session
from botocore.config import Config

from sts_emulator.shared_server import free_port
from tests.bench.servers import Running, wait

ROOT = ("AKIARTX3GSDSAAAAAAAA", "bench-root-secret")
BUCKET, KEY = "bench", "object"
_ONCE = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})

_NGINX = """\
daemon off; worker_processes 1; worker_cpu_affinity {cpu}; pid {folder}/pid; error_log {folder}/errors warn;
events {{}}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}; default_type application/xml;
    location = / {{
      return 200 '<ListAllMyBucketsResult><Buckets><Bucket><Name>{bucket}</Name></Bucket></Buckets></ListAllMyBucketsResult>';
    }}
    location = /health {{ return 200 'ok'; }}
    location = /{bucket} {{ return 404 '<Error><Code>NoSuchBucketPolicy</Code></Error>'; }}
    location = /{bucket}/{key} {{
      default_type binary/octet-stream; add_header ETag '"0123456789abcdef0123456789abcdef"'; return 200 '{object}';
    }}
  }}
}}
"""
MISSING = "" if shutil.which("nginx") or Path("/usr/sbin/nginx").exists() else "it needs Debian's package `nginx`"
"""Why there is no upstream that costs little; "" where there is one."""


@contextlib.contextmanager
def fixed_upstream() -> Iterator[str]:
    """The URL of an upstream with one bucket of one object, on the other CPU: nothing that the door has to wait for."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "nginx.conf")
        last = f"1{'0' * ((os.cpu_count() or 1) - 1)}"  # a bit for each CPU
        told = {"folder": folder, "port": port, "cpu": last, "bucket": BUCKET, "key": KEY, "object": "x" * 1024}
        config.write_text(_NGINX.format(**told))
        process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", config, "-e", f"{folder}/errors"])
        try:
            wait(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


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
