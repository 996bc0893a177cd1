"""Listeners: opened on demand or by a scenario, one an instance, and closed again."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
from command_lab import WORKLOADS, CommandLab
from workload_lab import request

from sts_emulator.app import create_server
from sts_emulator.cli.errors import CommandError
from sts_emulator.network import listeners
from sts_emulator.settings import Settings
from sts_emulator.shared_server import free_port

pytestmark = pytest.mark.scenario(str(WORKLOADS))


def test_each_instance_has_a_port_of_its_own(lab):
    web, strict = lab.imds("web"), lab.imds("strict")
    assert web.url != strict.url
    assert web.get("meta-data/instance-id").text == web.instance
    assert strict.get("meta-data/instance-id", strict.token()).text == strict.instance


def test_asking_again_gives_the_same_listener(lab):
    assert lab.imds("web").url == lab.imds("web").url


def test_a_listener_can_be_moved_and_closed(lab):
    port = free_port()
    moved = lab.api("POST", "listeners", body={"kind": "imds", "workload": "web", "port": port})
    assert moved["port"] == port
    assert request("GET", f"{moved['url']}/latest/").status == 200
    lab.api("DELETE", "listeners", str(port))
    with pytest.raises(OSError, match="refused"):
        request("GET", f"{moved['url']}/latest/")
    assert not lab.api("GET", "listeners")


def test_what_cannot_be_opened_is_said(lab):
    with pytest.raises(CommandError, match="no imds `nothing` in world"):
        lab.api("POST", "listeners", body={"kind": "imds", "workload": "nothing"})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CommandError, match="in use"):
            lab.api("POST", "listeners", body={"kind": "imds", "workload": "web", "port": taken.getsockname()[1]})


def test_a_terminated_instances_listener_is_closed_when_the_next_is_opened(lab):
    web = lab.imds("web")
    lab.aws.client("ec2").terminate_instances(InstanceIds=[web.instance])
    lab.imds("strict")
    assert [listener["workload"] for listener in lab.api("GET", "listeners")] == [lab.imds("strict").instance]


def test_a_deleted_worlds_listener_is_closed(emulator_server):
    """300 of 300 stayed open."""
    with emulator_server.world() as other:
        left = CommandLab(other, emulator_server.url).api("POST", "listeners", body={"kind": "world"})
        assert request("GET", f"{left['url']}/health").status == 200
    with contextlib.suppress(OSError):  # refused, or ended in the middle
        while True:
            request("GET", f"{left['url']}/health")


def test_listeners_are_bounded_and_those_of_deleted_worlds_do_not_count(monkeypatch):
    monkeypatch.setattr(listeners, "MOST", 2)
    server = create_server(Settings())
    for world in ("a", "b", "c"):
        server.worlds.create(world)

    async def scene() -> list[str]:
        opened = listeners.Listeners(server, lambda *_: None)
        try:
            await opened.open(listeners.Asked("world", "a"))
            await opened.open(listeners.Asked("world", "b"))
            with pytest.raises(listeners.ListenerError, match="there are 2 listeners already"):
                await opened.open(listeners.Asked("world", "c"))
            server.worlds.delete("a")
            await opened.open(listeners.Asked("world", "c"))
            return [listener.asked.world for listener in opened.all()]
        finally:
            opened.close_all()

    assert asyncio.run(scene()) == ["b", "c"]


def test_the_command_line_says_where_an_instance_is(lab):
    import subprocess

    done = subprocess.run(lab.command("imds", "web"), capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == f"export AWS_EC2_METADATA_SERVICE_ENDPOINT={lab.imds('web').url}"
