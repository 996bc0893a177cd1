"""Every lab done by the commands that it shows, with the AWS CLI and curl in a shell: the way, and each wrong one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aws_cli
import loaded_cli
import pytest

from sts_emulator.labs import shelf

pytestmark = pytest.mark.clients

UNUSABLE = (
    "usage:",
    "Error parsing",
    "Parameter validation failed",
    "command not found",
)
"""What a shell, the AWS CLI and our own command say of what cannot be meant."""

WRONG_WAYS = [(name, way) for name in shelf.names() for way in shelf.lab(name).wrong]


def commands(lab, way: str) -> str:
    """What somebody types: all that is shown, and the solution; or in its place a wrong way."""
    typed = []
    for name, step in lab.steps.items():
        if way and lab.wrong[way].instead == name:
            typed.append(lab.wrong[way].commands)
        else:
            typed += [step.commands, step.solution]
    return "\n".join(typed)


def environment(learner, told, home: Path, cli: Path) -> dict[str, str]:
    """A shell with what `lab env` prints, and nothing of the machine's own."""
    printed = subprocess.run(
        [sys.executable, "-m", "sts_emulator", "lab", "env", told["name"], "--world", learner.world],
        env={"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": learner.endpoint},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    path = os.pathsep.join(map(str, (cli, Path(sys.executable).parent, os.environ["PATH"])))
    (home / "env.sh").write_text(printed)
    # Whoever began it on a port of their choice has this in their shell still.
    return {"PATH": path, "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", "EMULATOR_PORT": "1"}


@pytest.mark.parametrize("name", shelf.names())
def test_its_commands_do_what_it_says(name, learner, tmp_path):
    walk(name, "", learner, tmp_path)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> Iterator[Path]:
    with loaded_cli.loaded(tmp_path_factory.mktemp("cli")) as folder:
        yield folder


@pytest.mark.parametrize(("name", "way"), WRONG_WAYS)
def test_its_wrong_ways_do_what_it_says(name, way, learner, tmp_path, loaded):
    walk(name, way, learner, tmp_path, loaded)


@pytest.mark.parametrize("name", shelf.names())
def test_with_version_2_of_the_aws_cli_in_zsh(name, learner, tmp_path):
    if shutil.which("zsh") is None:
        pytest.skip("no zsh here, which is the shell of macOS")
    walk(name, "", learner, tmp_path, Path(aws_cli.program()).parent, "zsh")


def walk(name, way, learner, tmp_path: Path, cli: Path = Path(sys.executable).parent, shell: str = "bash") -> None:
    """Do a lab, or one of its wrong ways, and see what its checks say."""
    told = learner.start(name)
    lab = shelf.lab(name, told["values"])
    for step_name, step in lab.steps.items():
        if step.predict is not None:
            learner.predict(name, step_name, step.predict.answer, step.predict.layer or "")

    script = f". ./env.sh\n{commands(lab, way)}\n"
    done = subprocess.run(
        [shell, "-c", script],
        cwd=tmp_path,
        env=environment(learner, told, tmp_path, cli),
        capture_output=True,
        text=True,
        check=False,
    )

    # After a way that does not do, later commands may lack what they would be given: all must be there nevertheless.
    unusable = UNUSABLE[-1:] if way else UNUSABLE
    assert not any(words in done.stderr for words in unusable), f"{done.stdout}\n{done.stderr}"
    result = learner.check(name)
    passed = {check["name"]: check["wrong"] for check in result["checks"]}
    if way:
        assert passed[lab.wrong[way].refused_by], f"{done.stdout}\n{done.stderr}"
    else:
        assert result["solved"], f"{passed}\n{done.stdout}\n{done.stderr}"
