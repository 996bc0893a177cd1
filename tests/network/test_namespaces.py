"""Named network namespaces: one process gives several their own 169.254.169.254, and the hop limit is real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from command_lab import WORKLOADS
from workload_lab import clean_environment

pytestmark = pytest.mark.scenario(str(WORKLOADS))

ASK = """
import sys, urllib.request
seconds, method, url, *headers = sys.argv[1:]
request = urllib.request.Request(url, method=method, headers=dict(one.split("=", 1) for one in headers))
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(opener.open(request, timeout=float(seconds)).read().decode(), end="")
"""
IMDS = "http://169.254.169.254/latest"
TTL = "X-aws-ec2-metadata-token-ttl-seconds=60"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=120)


@pytest.fixture
def namespace(isolation) -> Iterator:  # noqa: ARG001 - it may skip
    """Makes named namespaces, and takes them away; skips where only root may and this is not root."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("named network namespaces need root and the program `ip`")
    with ExitStack() as stack:

        def make(name: str) -> str:
            full = f"sts-{os.getpid()}-{name}"
            try:
                _ip("netns", "add", full)
            except subprocess.CalledProcessError as refused:
                pytest.skip(f"no named network namespaces here: {refused.stderr.decode().strip()}")
            stack.callback(_ip, "netns", "del", full)
            return full

        yield make


@contextmanager
def _serving(lab, *wanted: str) -> Iterator[None]:
    with subprocess.Popen(
        lab.command("imds", *wanted), env=clean_environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        lines = iter(process.stdout.readline, "")
        assert any(line == "serving until interrupted\n" for line in lines)
        yield
        process.terminate()


def _ask(namespace: str, *arguments: str, seconds: int = 60) -> str:
    done = subprocess.run(
        ["ip", "netns", "exec", namespace, sys.executable, "-c", ASK, str(seconds), *arguments],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2]


def test_one_process_serves_an_instance_in_each_namespace(lab, namespace):
    first, second = namespace("a"), namespace("b")
    with _serving(lab, f"web@{first}", f"bare@{second}"):
        assert _ask(first, "GET", f"{IMDS}/meta-data/instance-id") == lab.imds("web").instance
        assert _ask(second, "GET", f"{IMDS}/meta-data/instance-id") == lab.imds("bare").instance
        token = _ask(first, "PUT", f"{IMDS}/api/token", TTL)
        given = f"X-aws-ec2-metadata-token={token}"
        assert _ask(first, "GET", f"{IMDS}/meta-data/instance-id", given) == lab.imds("web").instance
        assert "401" in _ask(second, "GET", f"{IMDS}/meta-data/instance-id", given)
        assert "400" in _ask(first, "GET", "http://169.254.170.2/v2/credentials/")


def test_a_token_goes_no_further_than_the_hop_limit(lab, namespace):
    # Given a metadata service, an instance next to it, and a container behind the instance, which forwards
    service, instance, container = namespace("s"), namespace("i"), namespace("c")
    _link(service, "10.99.1.1", instance, "10.99.1.2")
    _link(instance, "10.99.2.1", container, "10.99.2.2")
    _ip("-n", instance, "route", "add", "169.254.169.254", "via", "10.99.1.1")
    _ip("-n", container, "route", "add", "default", "via", "10.99.2.1")
    _ip("-n", service, "route", "add", "10.99.2.0/24", "via", "10.99.1.2")
    _ip("netns", "exec", instance, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    with _serving(lab, f"web@{service}"):
        # Then the instance gets a token, and the container none, though it can read what needs none
        assert len(_ask(instance, "PUT", f"{IMDS}/api/token", TTL)) == 56
        assert "timed out" in _ask(container, "PUT", f"{IMDS}/api/token", TTL, seconds=1)
        assert _ask(container, "GET", f"{IMDS}/meta-data/instance-id") == lab.imds("web").instance
        # And with one hop more it does
        lab.aws.client("ec2").modify_instance_metadata_options(
            InstanceId=lab.imds("web").instance, HttpPutResponseHopLimit=2
        )
        assert len(_ask(container, "PUT", f"{IMDS}/api/token", TTL)) == 56


def _link(left: str, left_address: str, right: str, right_address: str) -> None:
    """A pair of interfaces between two namespaces."""
    mine, theirs = f"v{left[-1]}{right[-1]}", f"v{right[-1]}{left[-1]}"
    _ip("link", "add", mine, "netns", left, "type", "veth", "peer", "name", theirs, "netns", right)
    for name, interface, address in ((left, mine, left_address), (right, theirs, right_address)):
        _ip("-n", name, "address", "add", f"{address}/24", "dev", interface)
        _ip("-n", name, "link", "set", interface, "up")
        _ip("-n", name, "link", "set", "lo", "up")


def test_a_namespace_that_does_not_exist_is_said(lab, namespace):
    namespace("x")
    done = subprocess.run(
        lab.command("imds", "web@no-such-namespace"), capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, "no-such-namespace" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
