"""Scenario files and folders: what a server starts from, and how it takes up what changes in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sqlite3
import time
import urllib.request
from pathlib import Path

import pytest
from scenario_lab import DEV, yaml

from sts_emulator import Aws, Emulator
from sts_emulator.app import create_server
from sts_emulator.core.world import DEFAULT
from sts_emulator.scenario import ScenarioError
from sts_emulator.scenario import watch as watching
from sts_emulator.scenario.watch import BUILT_IN, seed, sources
from sts_emulator.settings import Settings
from sts_emulator.shared_server import free_port


def scenario(name: str) -> str:
    return f'accounts: {{"{DEV}": {{users: {{{name}: }}}}}}\n'


class Watched:
    """A server seeded from a folder; `look()` is one turn of the watcher."""

    def __init__(self, folder: Path | None, **options: str) -> None:
        self.server = create_server(Settings(scenario=(str(folder),) if folder else (), **options))
        seed(self.server)
        self.seen: watching.Seen = {}
        self.told: list[str] = []

    def look(self) -> None:
        self.seen = asyncio.run(watching._take_up(self.server, self.seen, self.told.append))

    def users(self) -> list[str]:
        world = self.server.worlds.get(DEFAULT)
        assert world is not None
        return [user["name"] for user in world.page("user")]


def write(path: Path, text: str) -> None:
    """Write a file as an editor does: it is there at once, with a time of change that differs from the one before."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    os.utime(draft, ns=(before + 10**9, before + 10**9))
    draft.replace(path)


# -- sources --------------------------------------------------------------------------------------------------------


def test_a_folder_gives_its_yaml_files_in_order_of_name(tmp_path: Path):
    for name in ("b.yaml", "a.yml", "c.json", ".d.txt", "e.yaml"):
        (tmp_path / name).write_text("")
    (tmp_path / "f.yaml").mkdir()
    assert [path.name for path in sources((str(tmp_path),))] == ["a.yml", "b.yaml", "e.yaml"]


def test_files_and_folders_mix_and_count_once(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("")
    (tmp_path / "one.txt").write_text("")
    given = (str(tmp_path / "one.txt"), str(tmp_path), str(tmp_path / "a.yaml"))
    assert [path.name for path in sources(given)] == ["one.txt", "a.yaml"]


def test_without_any_it_is_the_folder_here_or_what_comes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert sources(()) == [BUILT_IN]
    (tmp_path / "trust_policies").mkdir()
    (tmp_path / "trust_policies" / "mine.yaml").write_text("")
    assert sources(()) == [Path("trust_policies/mine.yaml")]


def test_what_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(ScenarioError) as caught:
        sources((str(tmp_path / "none.yaml"),))
    assert str(caught.value) == f"{tmp_path}/none.yaml: no such file or folder"


# -- starting -------------------------------------------------------------------------------------------------------


def test_one_bad_file_and_nothing_is_seeded(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(scenario("alice"))
    (tmp_path / "b.yaml").write_text(scenario("bob bob"))
    server = create_server(Settings(scenario=(str(tmp_path),)))
    with pytest.raises(ScenarioError) as caught:
        seed(server)
    world = server.worlds.get(DEFAULT)
    assert world is not None
    assert str(caught.value).startswith(f"{tmp_path}/b.yaml:1: user `bob bob`: ValidationError")
    assert world.page("account") == []
    assert world.page("user") == []


def test_with_a_state_file_an_unchanged_scenario_is_not_applied_again(tmp_path: Path):
    state, file = str(tmp_path / "state.sqlite"), tmp_path / "a.yaml"
    file.write_text(scenario("alice"))
    first = create_server(Settings(state=state, scenario=(str(file),)))
    seed(first)
    world = first.worlds.get(DEFAULT)
    assert world is not None
    world.take("user", f"{DEV}/alice")
    first.worlds.store.close()

    again = Watched(file, state=state)
    assert again.users() == []

    write(file, scenario("bob"))
    assert Watched(file, state=state).users() == ["bob"]


def test_of_the_folder_that_nobody_named_the_default_comes_first_and_the_rest_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "trust_policies"
    folder.mkdir()
    (folder / "default.yaml").write_text(scenario("alice"))
    (folder / "more.yaml").write_text(scenario("bob"))
    (folder / "typo.yaml").write_text("acounts: {}")
    server = create_server(Settings())
    seed(server)
    world = server.worlds.get(DEFAULT)
    assert world is not None
    assert [user["name"] for user in world.page("user")] == ["alice"]

    told: list[str] = []
    standing = watching.standing(server)
    asyncio.run(watching._take_up(server, {}, told.append, no_news=standing))

    assert [user["name"] for user in world.page("user")] == ["alice", "bob"]
    assert [item.splitlines()[0] for item in told] == [
        "trust_policies/typo.yaml:1: unknown key `acounts`; did you mean `accounts`?"
    ]


# -- taking up ------------------------------------------------------------------------------------------------------


def test_a_changed_file_is_taken_up(tmp_path: Path):
    write(tmp_path / "a.yaml", scenario("alice"))
    watched = Watched(tmp_path)
    write(tmp_path / "a.yaml", scenario("bob"))
    watched.look()
    assert watched.users() == ["alice", "bob"]
    assert watched.told == [f"{tmp_path}/a.yaml: taken up"]


def test_what_changes_between_seeding_and_the_first_look_is_taken_up(serve, tmp_path: Path):
    """The first look took what it found for what had been seeded."""
    file = tmp_path / "scenario.yaml"
    write(file, scenario("ada"))
    with serve("--scenario", str(file)) as (url, process), Emulator(url).control() as api:
        write(file, scenario("bob"))
        world = Aws(api, "default")
        iam = world.client("iam", api.api("GET", "worlds", "default", "credentials"))
        assert comes(lambda: "bob" in {user["UserName"] for user in iam.list_users()["Users"]})
        assert any(line == f"{file}: taken up\n" for line in process.stdout)


def test_what_changed_while_no_server_ran_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also beside the default of the folder that nobody named, which alone is seeded at once."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "trust_policies"
    folder.mkdir()
    (folder / "default.yaml").write_text("")
    for names in (["ada"], ["ada", "bob"]):
        write(folder / "more.yaml", scenario(names[-1]))
        again = Watched(None, state=str(tmp_path / "state.db"))
        again.look()
        assert again.users() == names
        again.server.worlds.store.close()


def test_a_new_file_is_taken_up(tmp_path: Path):
    watched = Watched(tmp_path)
    write(tmp_path / "new.yaml", scenario("alice"))
    watched.look()
    assert watched.users() == ["alice"]


def test_what_has_not_changed_is_left_alone(tmp_path: Path):
    write(tmp_path / "a.yaml", scenario("alice"))
    watched = Watched(tmp_path)
    watched.look()
    assert watched.told == []


@pytest.mark.parametrize("text", ["accounts: [\n", 'accounts: {"111122223333": {usrs: }}\n', scenario("b b")])
def test_a_mistake_is_told_once_and_the_last_good_state_stays(tmp_path: Path, text: str):
    write(tmp_path / "a.yaml", scenario("alice"))
    watched = Watched(tmp_path)

    write(tmp_path / "a.yaml", text)
    watched.look()
    watched.look()

    assert len(watched.told) == 1
    assert watched.told[0].startswith(f"{tmp_path}/a.yaml:")
    assert watched.told[0].endswith("not taken up; what was there before stays")
    assert watched.users() == ["alice"]


def test_after_the_mistake_is_mended_the_file_is_taken_up(tmp_path: Path):
    watched = Watched(tmp_path)
    write(tmp_path / "a.yaml", "accounts: [")
    watched.look()
    write(tmp_path / "a.yaml", scenario("alice"))
    watched.look()
    assert watched.users() == ["alice"]


def test_a_policy_in_a_file_of_its_own_is_watched_with_its_scenario(tmp_path: Path):
    write(
        tmp_path / "a.yaml",
        yaml(f"""
            accounts:
              "{DEV}":
                policies:
                  p: {{file: policy.json}}
        """),
    )
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"%s","Action":"*","Resource":"*"}]}'
    write(tmp_path / "policy.json", policy % "Allow")
    watched = Watched(tmp_path)

    write(tmp_path / "policy.json", policy % "Deny")
    watched.look()

    world = watched.server.worlds.get(DEFAULT)
    assert world is not None
    stored = world.find("policy", f"arn:aws:iam::{DEV}:policy/p")
    assert stored is not None
    assert stored["versions"][stored["default"]]["text"] == policy % "Deny"


@pytest.mark.parametrize("name", ["none.json", "../../../../etc/shadow-of-nothing", "bad.bin"])
def test_a_named_file_that_cannot_be_read_is_told_with_its_line(tmp_path: Path, name: str):
    (tmp_path / "bad.bin").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "a.yaml").write_text(f'accounts:\n  "{DEV}":\n    policies:\n      p: {{file: {name}}}\n')
    with pytest.raises(ScenarioError) as caught:
        Watched(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/a.yaml:4: `{name}` ")


def test_a_folder_that_goes_away_takes_nothing_along(tmp_path: Path):
    folder = tmp_path / "scenarios"
    folder.mkdir()
    write(folder / "a.yaml", scenario("alice"))
    watched = Watched(folder)
    (folder / "a.yaml").unlink()
    folder.rmdir()
    watched.look()
    assert watched.users() == ["alice"]
    assert watched.told == []


# -- a running server ------------------------------------------------------------------------------------------------


def comes(look) -> bool:
    """Whether it is so at last."""
    until = time.monotonic() + 240
    while not look() and time.monotonic() < until:
        time.sleep(0.05)
    return bool(look())


def test_what_changes_while_the_state_is_unavailable_is_taken_up_afterwards(serve, tmp_path: Path):
    """Whoever watched gave up for good, and told nobody."""
    file, state = tmp_path / "scenario.yaml", tmp_path / "state.db"
    write(file, scenario("ada"))
    with serve("--scenario", str(file), "--state", str(state)) as (url, _), Emulator(url).control() as api:
        world = Aws(api, "default")
        iam = world.client("iam", api.api("GET", "worlds", "default", "credentials"))
        with contextlib.closing(sqlite3.connect(state, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            write(file, scenario("bob"))
            time.sleep(3 * watching.EVERY)  # it is looked at, which fails
            holder.execute("ROLLBACK")
        assert comes(lambda: "bob" in {user["UserName"] for user in iam.list_users()["Users"]})


INSTANCE = """
accounts:
  "{account}":
    roles: {{web: {{trust: [{{Effect: Allow, Principal: {{Service: ec2.amazonaws.com}}, Action: sts:AssumeRole}}]}}}}
    instance_profiles: {{web: web}}
    instances: {{web: {{profile: web, port: {port}}}}}
"""


def metadata(port: int) -> bool:
    """Whether an instance's metadata service is there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/latest/meta-data/instance-id", timeout=60) as answer:
            return answer.read().startswith(b"i-")
    except OSError:
        return False


def test_the_port_of_an_instance_is_opened_once_it_is_free(serve, tmp_path: Path):
    file = tmp_path / "scenario.yaml"
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as somebody:
        write(file, INSTANCE.format(account=DEV, port=port))
        with serve("--scenario", str(file)) as (_, process):
            assert process.stdout.readline() == (
                "instance web has no metadata service at the port that its scenario names: "
                f"port {port}: address already in use. It begins when that is free; "
                "`sts-emulator imds web --listen N` opens another one\n"
            )
            somebody.close()
            assert comes(lambda: metadata(port))
            other = free_port()
            write(file, INSTANCE.format(account=DEV, port=other))
            assert comes(lambda: metadata(other)), "a port that is named while the server runs"
