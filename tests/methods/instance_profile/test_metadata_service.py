"""EC2's metadata service on the wire: tokens, versions, refusals, and what can be read.

Source: docs/aws/instance-metadata.md, "Service".
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from functools import partial

import pytest
from workload_lab import ACCOUNT, as_keys, request

from sts_emulator.app import create_server
from sts_emulator.methods.instance_profile import imds
from sts_emulator.settings import Settings
from sts_emulator.wire.http import Request

pytestmark = pytest.mark.scenario("workloads.yaml")
TTL = "X-aws-ec2-metadata-token-ttl-seconds"


# -- tokens ----------------------------------------------------------------------------------------------------------


def test_a_token_has_the_length_of_awss_and_its_lifetime_is_repeated(lab):
    answer = lab.imds("web").put(headers={TTL: "300"})
    assert (answer.status, len(answer.text), answer.text[-2:]) == (200, 56, "==")
    assert answer.headers[TTL.lower()] == "300"
    assert answer.headers["server"] == "EC2ws"
    assert answer.headers["connection"] == "close"
    assert not [name for name in answer.headers if name.startswith("x-emulator")]


@pytest.mark.parametrize("ttl", [None, "", "0", "21601", "-1", "1.5", "sixty", "٣", "9" * 50])
def test_a_token_without_a_lifetime_from_1_to_21600_is_a_bad_request(lab, ttl):
    answer = lab.imds("web").put(headers={} if ttl is None else {TTL: ttl.encode().decode("latin-1")})
    assert answer.status == 400
    assert "<title>400 - Bad Request</title>" in answer.text


@pytest.mark.parametrize("ttl", ["1", "21600"])
def test_the_shortest_and_the_longest_lifetime_are_accepted(lab, ttl):
    assert lab.imds("web").put(headers={TTL: ttl}).status == 200


def test_a_request_that_a_proxy_forwarded_gets_no_token(lab):
    answer = lab.imds("web").put(headers={TTL: "60", "X-Forwarded-For": "10.0.0.1"})
    assert (answer.status, "Forbidden" in answer.text) == (403, True)


def test_tokens_are_to_be_had_under_latest_only_and_by_put_only(lab):
    imds = lab.imds("web")
    assert imds.put("/2021-03-23/api/token", {TTL: "60"}).status == 403
    answer = imds.get("api/token")
    assert (answer.status, answer.headers["allow"]) == (405, "OPTIONS, PUT")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_metadata_is_read_only(lab, method):
    assert request(method, f"{lab.imds('web').url}/latest/meta-data/").status == 405


def test_a_token_is_shown_its_remaining_time_and_ends_with_it(lab):
    imds = lab.imds("web")
    token = imds.token(600)
    lab.aws.advance(minutes=5)
    answer = imds.get("meta-data/instance-id", token)
    assert answer.status == 200
    assert 240 < int(answer.headers[TTL.lower()]) <= 300
    lab.aws.advance(minutes=5)
    assert imds.get("meta-data/instance-id", token).status == 401


def test_a_token_lives_as_long_as_it_was_promised_wherever_in_a_second_it_began(monkeypatch):
    """By the clock's fractions, which no test on a socket can choose."""
    world, instance = create_server(Settings()).worlds.get("default"), {"id": "i-1", "launched": 0}
    now = partial(monkeypatch.setattr, type(world), "now")
    for begun in (1000.0, 1000.001, 1000.5, 1000.999):
        now(lambda _, begun=begun: begun)
        token = imds.new_token(world, instance, 5)
        asked = Request("GET", "/", "/", headers={imds.TOKEN_HEADER: token})
        for later, left in ((0.0, 5), (0.001, 5), (3.5, 2), (4.999, 1)):
            now(lambda _, begun=begun, later=later: begun + later)
            assert imds.seconds_left(world, instance, asked) == left
        now(lambda _, begun=begun: begun + 5)
        with pytest.raises(imds.Refused):
            imds.seconds_left(world, instance, asked)


def test_a_page_that_is_not_there_says_the_tokens_time_too(lab):
    # docs/aws/instance-metadata.md, "Service"
    metadata = lab.imds("web")
    answer = metadata.get("meta-data/nothing", metadata.token(300))
    assert answer.status == 404
    assert 240 < int(answer.headers[TTL.lower()]) <= 300
    assert TTL.lower() not in metadata.get("meta-data/nothing").headers


@pytest.mark.parametrize("wrong", ["", "nonsense", "AQAAA" + "x" * 49 + "==", "x" * 5_000])
def test_a_token_that_is_none_is_refused_even_where_none_is_needed(lab, wrong):
    assert lab.imds("web").get("meta-data/", wrong).status == 401


def test_an_altered_token_is_refused(lab):
    imds = lab.imds("web")
    token = imds.token()
    altered = ("A" if token[0] != "A" else "B") + token[1:]
    assert imds.get("meta-data/", altered).status == 401


def test_another_instances_token_is_refused(lab):
    token = lab.imds("web").token()
    assert lab.imds("strict").get("meta-data/", token).status == 401


def test_another_worlds_token_is_refused(lab, emulator_server):
    token = lab.imds("web").token()
    with emulator_server.world("accounts: {'111122223333': {instances: {web: {}}}}") as other:
        opened = other._api("POST", "listeners", body={"kind": "imds", "workload": "web"})
        answer = request("GET", f"{opened['url']}/latest/meta-data/", {"X-aws-ec2-metadata-token": token})
    assert answer.status == 401


def test_a_world_or_an_instance_that_does_not_exist_has_no_metadata(lab, emulator_server):
    web = lab.imds("web").instance
    assert request("GET", f"{emulator_server.url}/w/nowhere/imds/{web}/latest/meta-data/").status == 404
    assert request("GET", f"{emulator_server.url}/imds/{web}/latest/meta-data/").status == 404
    assert request("GET", f"{lab.aws.endpoint_url}/imds/i-0123456789abcdef0/latest/meta-data/").status == 404


def test_a_listener_does_not_outlive_its_world(emulator_server):
    with emulator_server.world("accounts: {'111122223333': {instances: {web: {}}}}") as world:
        url = world._api("POST", "listeners", body={"kind": "imds", "workload": "web"})["url"]
        assert request("GET", f"{url}/latest/meta-data/").status == 200
    with contextlib.suppress(OSError):  # another test may have opened one meanwhile: then this one is closed
        assert request("GET", f"{url}/latest/meta-data/").status == 404


def test_a_listener_shows_its_instance_and_nothing_else_of_the_server(lab):
    url = lab.imds("web").url
    assert request("GET", f"{url}/_emulator/api/worlds").status == 404
    assert request("GET", f"{url}/w/default/").status == 404
    assert request("GET", f"{url}/latest/../../other").status == 404


# -- options ---------------------------------------------------------------------------------------------------------


def test_version_1_is_refused_where_tokens_are_required(lab):
    imds = lab.imds("strict")
    answer = imds.get("meta-data/")
    assert (answer.status, "<title>401 - Unauthorized</title>" in answer.text) == (401, True)
    assert imds.get("meta-data/", imds.token()).status == 200


def test_a_disabled_endpoint_refuses_everything(lab):
    imds = lab.imds("silent")
    assert imds.put(headers={TTL: "60"}).status == 403
    assert imds.get("meta-data/").status == 403


def test_ipv6_has_to_be_enabled(lab):
    imds, ipv6 = lab.imds("web"), {"Host": "[fd00:ec2::254]"}
    assert imds.get("meta-data/instance-id", **ipv6).status == 403
    lab.aws.client("ec2").modify_instance_metadata_options(InstanceId=imds.instance, HttpProtocolIpv6="enabled")
    assert imds.get("meta-data/instance-id", **ipv6).text == imds.instance


def test_options_change_with_the_next_request(lab):
    imds, ec2 = lab.imds("web"), lab.aws.client("ec2")
    assert imds.get("meta-data/").status == 200
    changed = ec2.modify_instance_metadata_options(InstanceId=imds.instance, HttpTokens="required")
    assert changed["InstanceMetadataOptions"]["HttpTokens"] == "required"
    assert imds.get("meta-data/").status == 401


# -- what is read ----------------------------------------------------------------------------------------------------


def test_folders_are_listed_one_a_line(lab):
    imds = lab.imds("web")
    assert request("GET", f"{imds.url}/").text.splitlines()[-1] == "latest"
    assert imds.get("").text.splitlines() == ["dynamic", "meta-data", "user-data"]
    listed = imds.get("meta-data/").text.splitlines()
    assert {"ami-id", "iam/", "instance-id", "placement/", "network/", "public-keys/"} <= set(listed)
    assert listed == sorted(listed)
    assert imds.get("meta-data/iam/").text.splitlines() == ["info", "security-credentials/"]
    assert imds.get("meta-data/public-keys/").text == "0=deploy"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_slash_at_the_end_makes_no_difference(lab, slash):
    imds = lab.imds("web")
    assert imds.get(f"meta-data/placement/availability-zone{slash}").text == "us-east-1a"
    assert imds.get(f"meta-data/iam/security-credentials{slash}").text == "web-role"


def test_every_listed_path_can_be_read(lab):
    imds = lab.imds("strict")
    token, waiting, read = imds.token(), ["meta-data/", "dynamic/"], []
    while waiting:
        folder = waiting.pop()
        for name in imds.get(folder, token).text.splitlines():
            (waiting if name.endswith("/") else read).append(folder + name.partition("=")[0])
    assert len(read) > 40
    for path in read:
        answer = imds.get(path, token)
        assert answer.status == 200, path
        assert answer.headers["content-type"] == "text/plain"


def test_what_is_not_there_is_a_page_that_says_404(lab):
    imds = lab.imds("web")
    for path in ("meta-data/nothing", "meta-data/spot/instance-action", "meta-data/tags/instance/", "nothing"):
        answer = imds.get(path)
        assert (answer.status, "<title>404 - Not Found</title>" in answer.text) == (404, True), path
    assert lab.imds("bare").get("user-data").status == 404
    assert lab.imds("bare").get("meta-data/iam/info").status == 404


def test_user_data_is_served_as_it_was_written(lab):
    answer = lab.imds("web").get("user-data")
    assert (answer.text, answer.headers["content-type"]) == (
        "#!/bin/sh\necho hello\n",
        "application/octet-stream",
    )


def test_tags_are_shown_where_they_are_enabled(lab):
    imds = lab.imds("strict")
    token = imds.token()
    assert imds.get("meta-data/tags/instance/", token).text.splitlines() == ["Name", "team"]
    assert imds.get("meta-data/tags/instance/team", token).text == "shop"


def test_a_scenario_can_add_metadata(lab):
    assert lab.imds("web").get("meta-data/product-codes").text == "3iplms73etrdhxdepv72l6ywj"


def test_notices_appear_when_they_are_given(lab):
    imds = lab.imds("web")
    for kind in ("spot-interruption", "rebalance", "maintenance"):
        lab.api("PUT", "instances", imds.instance, "notices", body={"kind": kind})
    action = imds.get("meta-data/spot/instance-action").json()
    assert action == {"action": "terminate", "time": imds.get("meta-data/spot/termination-time").text}
    assert imds.get("meta-data/events/recommendations/rebalance").json()["noticeTime"] < action["time"]
    assert imds.get("meta-data/events/maintenance/scheduled").json()[0]["State"] == "active"
    lab.api("DELETE", "instances", imds.instance, "notices")
    assert imds.get("meta-data/spot/instance-action").status == 404


# -- the identity document -------------------------------------------------------------------------------------------


def test_the_identity_document_describes_the_instance(lab):
    imds = lab.imds("web")
    document = imds.get("dynamic/instance-identity/document").json()
    assert next(iter(document)) == "accountId"
    assert (document["accountId"], document["instanceId"], document["region"]) == (ACCOUNT, imds.instance, "us-east-1")
    assert document["version"] == "2017-09-30"
    assert document["privateIp"] == imds.get("meta-data/local-ipv4").text


def test_openssl_verifies_the_plain_signature(lab, tmp_path):
    imds = lab.imds("web")
    (tmp_path / "document").write_text(imds.get("dynamic/instance-identity/document").text)
    (tmp_path / "signature").write_text(imds.get("dynamic/instance-identity/signature").text + "\n")
    (tmp_path / "certificate").write_text(lab.aws.page("GET", "imds/certificate"))
    _openssl(tmp_path, "base64 -d -in signature -out raw")
    _openssl(tmp_path, "x509 -in certificate -pubkey -noout -out key")
    assert "Verified OK" in _openssl(tmp_path, "dgst -sha256 -verify key -signature raw document")
    (tmp_path / "document").write_text(
        imds.get("dynamic/instance-identity/document").text.replace(ACCOUNT, "999999999999")
    )
    assert "Verified OK" not in _openssl(tmp_path, "dgst -sha256 -verify key -signature raw document", fails=True)


@pytest.mark.parametrize("form", ["pkcs7", "rsa2048"])
def test_openssl_verifies_the_signed_structures_and_finds_the_document_in_them(lab, tmp_path, form):
    imds = lab.imds("web")
    body = imds.get(f"dynamic/instance-identity/{form}").text
    (tmp_path / "signed").write_text(f"-----BEGIN PKCS7-----\n{body}\n-----END PKCS7-----\n")
    (tmp_path / "certificate").write_text(lab.aws.page("GET", "imds/certificate"))
    verified = _openssl(tmp_path, "smime -verify -in signed -inform PEM -certfile certificate -noverify -nointern")
    shown = json.loads(verified.partition("{")[1] + verified.partition("{")[2].rpartition("}")[0] + "}")
    assert shown == imds.get("dynamic/instance-identity/document").json()


def _openssl(folder, arguments: str, *, fails: bool = False) -> str:
    done = subprocess.run(
        ["openssl", *arguments.split()], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert fails or done.returncode == 0, done.stderr
    return done.stdout


# -- the instance's own identity -------------------------------------------------------------------------------------


def test_the_instances_own_identity_can_say_who_it_is_and_nothing_more(lab):
    imds = lab.imds("bare")
    info = imds.get("meta-data/identity-credentials/ec2/info").json()
    assert (info["Code"], info["AccountId"]) == ("Success", ACCOUNT)
    document = imds.get("meta-data/identity-credentials/ec2/security-credentials/ec2-instance").json()
    who = lab.aws.client("sts", as_keys(document)).get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/aws:ec2-instance/{imds.instance}"
    assert who["UserId"] == f"{ACCOUNT}:aws:ec2-instance:{imds.instance}"
    iam = lab.aws.client("iam", as_keys(document))
    with pytest.raises(iam.exceptions.ClientError, match="not authorized to perform: iam:GetRole"):
        iam.get_role(RoleName="web-role")
