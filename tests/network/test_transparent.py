"""Transparent mode: AWS's own host names by TLS and DNS, in a namespace, or through a CONNECT proxy."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
from urllib.parse import urlsplit

import pytest
from command_lab import WORKLOADS
from workload_lab import ACCOUNT, AWS_CLI

from sts_emulator.core.hosts import is_aws
from sts_emulator.network.hostnames import NameServer

pytestmark = pytest.mark.scenario(str(WORKLOADS))


# -- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tls(lab):
    """Opens a TLS connection to the emulator under a name; trusts the lab authority only."""
    opened = lab.api("POST", "listeners", body={"kind": "aws"})
    context = ssl.create_default_context(cadata=opened["authority"])

    def connect(name):
        plain = socket.create_connection((opened["host"], opened["port"]), timeout=120)
        return context.wrap_socket(plain, server_hostname=name)

    return connect


@pytest.mark.parametrize(
    "name",
    [
        "sts.amazonaws.com",
        "sts.eu-central-1.amazonaws.com",
        "portal.sso.us-east-1.amazonaws.com",
        "rolesanywhere.us-east-1.api.aws",
        "d-9067000000.awsapps.com",
        "eu-west-1.signin.aws.amazon.com",
        "STS.AMAZONAWS.COM",
    ],
)
def test_every_host_of_awss_has_a_certificate_that_the_lab_authority_signed(tls, name):
    with tls(name) as connection:
        assert ("DNS", name.lower()) in connection.getpeercert()["subjectAltName"]
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n" % name.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("name", ["example.com", "amazonaws.com.example.com", "notamazonaws.com"])
def test_no_other_host_has_one(tls, name):
    with pytest.raises(ssl.SSLCertVerificationError):
        tls(name)


def test_the_control_api_is_not_served_under_awss_names(tls):
    with tls("sts.amazonaws.com") as connection:
        connection.sendall(b"GET /_emulator/api/worlds HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        assert not connection.recv(100).startswith(b"HTTP/1.1 200")


# -- names -----------------------------------------------------------------------------------------------------------


def _query(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def _answer(query: bytes) -> tuple[int, bytes | None]:
    """The response code, and the address if there is one."""
    reply = NameServer("127.0.0.1").answer(query)
    identifier, flags, _, answers = struct.unpack(">HHHH", reply[:8])
    assert (identifier, flags & 0x8000) == (4711, 0x8000)
    assert reply[12 : len(query)] == query[12:]
    return flags & 0xF, reply[-4:] if answers else None


def test_awss_hosts_are_here_and_nothing_else_exists():
    assert _answer(_query("sts.us-east-1.amazonaws.com")) == (0, b"\x7f\0\0\1")
    assert _answer(_query("s3.AMAZONAWS.com")) == (0, b"\x7f\0\0\1")
    assert _answer(_query("example.com")) == (3, None)


def test_a_host_of_awss_has_no_ipv6_address_but_exists():
    assert _answer(_query("sts.amazonaws.com", 28)) == (0, None)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"x" * 11,
        _query("sts.amazonaws.com")[:-3],
        _query("sts.amazonaws.com")[:20],
        b"\0" * 2 + b"\x80" + _query("a.b")[3:],
        _query("a.b")[:12] + b"\xc0\x0c\0\1\0\1",
        _query("a.b")[:12] + b"\x3f" + b"a" * 20,
        b"x" * 600,
    ],
)
def test_what_is_no_query_is_not_answered(garbage):
    assert NameServer().answer(garbage) is None


def test_only_whole_labels_make_a_name_one_of_awss():
    assert is_aws("amazonaws.com")
    assert is_aws("sts.amazonaws.com.")
    assert not is_aws("xamazonaws.com")
    assert not is_aws("amazonaws.com.example.com")


# -- the proxy -------------------------------------------------------------------------------------------------------


def _ask_proxy(lab, head: bytes) -> bytes:
    opened = urlsplit(lab.listener("proxy"))
    with socket.create_connection((opened.hostname, opened.port), timeout=120) as connection:
        connection.sendall(head)
        return connection.recv(200)


def test_the_proxy_leads_to_awss_hosts(lab):
    head = b"CONNECT sts.us-east-1.amazonaws.com:443 HTTP/1.1\r\nHost: sts.us-east-1.amazonaws.com:443\r\n\r\n"
    assert _ask_proxy(lab, head).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "line",
    [
        b"CONNECT example.com:443 HTTP/1.1",
        b"CONNECT 127.0.0.1:22 HTTP/1.1",
        b"CONNECT sts.amazonaws.com:22 HTTP/1.1",
        b"CONNECT amazonaws.com.example.com:443 HTTP/1.1",
        b"CONNECT :443 HTTP/1.1",
        b"GET http://sts.amazonaws.com/ HTTP/1.1",
        b"nonsense",
    ],
)
def test_the_proxy_leads_nowhere_else(lab, line):
    assert _ask_proxy(lab, line + b"\r\n\r\n").startswith(b"HTTP/1.1 403 ")


def test_clients_that_honour_a_proxy_need_no_endpoints(lab):
    caller = lab.caller("--as", "ec2", "--role", "web-role", "--proxy")
    assert caller.startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/web-role/i-")


# -- isolation -------------------------------------------------------------------------------------------------------

NO_OVERRIDE = """
import json, os
print(json.dumps([name for name in os.environ if name.startswith(("AWS_ENDPOINT", "AWS_EC2", "HTTP"))]))
"""


@pytest.mark.usefixtures("isolation")
def test_in_isolation_boto3_finds_the_real_addresses_and_names_without_any_override(lab):
    assert (
        json.loads(
            lab.exec("--as", "ec2", "--name", "strict", "--isolated", "--", sys.executable, "-c", NO_OVERRIDE).stdout
        )
        == []
    )
    caller = lab.caller("--as", "ec2", "--name", "strict", "--isolated")
    assert caller == f"arn:aws:sts::{ACCOUNT}:assumed-role/web-role/{lab.imds('strict').instance}"


@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize(
    ("arguments", "caller"),
    [
        (["--as", "ecs", "--name", "worker"], "assumed-role/task-role/"),
        (["--as", "eks", "--name", "shop/checkout"], "assumed-role/pod-role/eks-shop-"),
        (["--as", "lambda", "--name", "resize"], "assumed-role/function-role/resize"),
    ],
    ids=" ".join,
)
def test_in_isolation_tasks_pods_and_functions_are_who_they_are(lab, arguments, caller):
    assert caller in lab.caller(*arguments, "--isolated")


@pytest.mark.usefixtures("isolation")
def test_in_isolation_the_aws_cli_is_the_instances_role(lab):
    done = lab.exec("--as", "ec2", "--role", "web-role", "--isolated", "--", str(AWS_CLI), "sts", "get-caller-identity")
    assert "assumed-role/web-role/i-" in json.loads(done.stdout)["Arn"], done.stderr


@pytest.mark.usefixtures("isolation")
def test_the_metadata_service_is_there_over_ipv6_where_it_is_enabled(lab):
    lab.aws.client("ec2").modify_instance_metadata_options(
        InstanceId=lab.imds("web").instance, HttpProtocolIpv6="enabled"
    )
    mode = ["env", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6"]
    done = lab.exec(
        "--as", "ec2", "--name", "web", "--isolated", "--", *mode, str(AWS_CLI), "sts", "get-caller-identity"
    )
    assert "assumed-role/web-role/i-" in done.stdout, done.stderr


@pytest.mark.usefixtures("isolation")
def test_an_ordinary_user_can_have_it_too(lab):
    # Inside, this process is user 1000 and has no rights that matter.
    prefix = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    script = "import os; print(os.getuid(), open('/etc/resolv.conf').read().strip())"
    done = lab.exec("--as", "ec2", "--name", "web", "--isolated", "--", sys.executable, "-c", script, prefix=prefix)
    assert done.stdout.strip() == "1000 nameserver 127.0.0.1", done.stderr


@pytest.mark.usefixtures("isolation")
def test_nothing_of_the_machines_network_is_within_reach(lab):
    script = (
        "import socket\n"
        "for place in (('192.0.2.1', 80), ('example.com', 80)):\n"
        "    try: socket.create_connection(place, 2)\n"
        "    except OSError as error: print(type(error).__name__)\n"
    )
    done = lab.exec("--as", "ec2", "--name", "web", "--isolated", "--", sys.executable, "-c", script)
    assert done.stdout.split() == ["OSError", "gaierror"]
