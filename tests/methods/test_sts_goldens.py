"""Recorded answers of STS to the letter: cases/sts.json, sent by botocore's signer over a plain socket."""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

CASES = json.loads(Path(__file__).with_name("cases").joinpath("sts.json").read_text("utf-8"))["cases"]
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
PLACES = {
    "<id>": UUID,
    "<uid>": r"A(?:IDA|ROA)[A-Z2-7]{17}",
    "<akid>": r"ASIA[A-Z2-7]{16}",
    "<secret>": r"[A-Za-z0-9+/]{40}",
    "<token>": r"[A-Za-z0-9+/]{100,}={0,2}",
    "<expiration>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
}

# The answers were recorded before STS told how large its tokens are (docs/aws/sts.md, "Sizes of session tokens").
SINCE_SEPTEMBER = re.compile(r" *<SessionToken(?:Size|Utilization)>\d+</SessionToken\w+>\n")

pytestmark = pytest.mark.scenario("sts_world.yaml")


def pattern(text: str) -> re.Pattern[str]:
    """The text with its places filled in."""
    escaped = re.escape(text)
    for place, form in PLACES.items():
        escaped = escaped.replace(re.escape(place), form)
    return re.compile(escaped)


def send(aws, case: dict) -> tuple[http.client.HTTPResponse, str]:
    method, form = case.get("method", "POST"), case["form"]
    url = aws.endpoint_url + "/" + (f"?{form}" if method == "GET" else "")
    headers = {"Accept": case["accept"]} if "accept" in case else {}
    if method == "POST":
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    request = AWSRequest(method, url, headers=headers, data=form if method == "POST" else "")
    if not case.get("unsigned"):
        key = aws.credentials(user="alice")
        signer = Credentials(key["access_key_id"], key["secret_access_key"])
        SigV4Auth(signer, case.get("sign", {}).get("service", "sts"), "us-east-1").add_auth(request)
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.hostname, target.port, timeout=120)
    path = target.path + (f"?{target.query}" if target.query else "")
    connection.request(method, path, form if method == "POST" else None, dict(request.headers.items()))
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded(aws, case):
    answer, body = send(aws, case)

    assert answer.status == case["status"], body
    if "type" in case:
        assert answer.headers["content-type"] == case["type"]
    if "location" in case:
        assert answer.headers["location"] == case["location"]
    if "body" in case:
        recorded = SINCE_SEPTEMBER.sub("", body)
        assert pattern(case["body"]).fullmatch(recorded), body
    if "json" in case:
        assert pattern(json.dumps(case["json"], sort_keys=True)).fullmatch(json.dumps(json.loads(body), sort_keys=True))
    for text in case.get("contains", ()):
        assert text in body, body
    for text in case.get("lacks", ()):
        assert text not in body, body


@pytest.mark.parametrize("action", ["GetCallerIdentity", "AssumeRole"])
def test_request_ids_are_in_the_headers_too(aws, action):
    """docs/aws/wire.md, "Headers"; the second id is base64 of `1:<region>:S:<epoch ms>:R:<8 characters>`."""
    import base64

    answer, body = send(aws, {"form": f"Action={action}&Version=2011-06-15"})
    assert f"<RequestId>{answer.headers['x-amzn-requestid']}</RequestId>" in body
    extended = base64.b64decode(answer.headers["x-amz-sts-extended-request-id"]).decode()
    assert re.fullmatch(r"1:us-east-1:S:\d{13}:R:[A-Za-z0-9]{8}", extended)
