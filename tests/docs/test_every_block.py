"""Every block of code on every page runs: here as the story of its page, in a test of its own, or the page says why not.

Blocks without a language show what AWS or a program writes; they are nothing to run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import yaml

from sts_emulator.cli.main import main
from sts_emulator.scenario.model import parse_data
from sts_emulator.shared_server import free_port

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in (ROOT / "README.md", ROOT / "certs" / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
BLOCK = re.compile(
    r"^( *)```(\w+)\n(.*?)^ *```\n(\n?\*(?:Not run by the tests: |Run by the tests where ).+\*$)?",
    re.MULTILINE | re.DOTALL,
)

ELSEWHERE: Final[Mapping[str, str]] = {
    "README.md": "tests/docs/test_readme.py",
    "docs/adding-a-method.md": "tests/docs/test_adding_a_method.py",
    "docs/ci.md": "tests/docs/test_conventions.py",
    "docs/beside-other-emulators.md": "tests/docs/test_running.py",
    "docs/deciders.md": "tests/scenario/test_scenario_deciders.py",
    "docs/lint.md": "tests/docs/test_conventions.py",
    "docs/policy-engine.md": "tests/policy/test_policy_docs.py",
    "docs/running.md": "tests/docs/test_running.py",
    "docs/scenarios.md": "tests/scenario/test_scenario_docs.py",
    "docs/testing.md": "tests/scenario/test_scenario_docs.py",
    "docs/testing-other-languages.md": "tests/clients/test_other_languages.py",
}
"""Pages whose blocks a test of their own runs."""


@dataclass(frozen=True)
class Block:
    """One block; `reason` is why it is not run, as the page says it."""

    page: str
    line: int
    language: str
    text: str
    reason: str


def blocks(page: str, *languages: str) -> Iterator[Block]:
    """The blocks that are to be run, of these languages."""
    whole = PAGES[page].read_text("utf-8")
    for match in BLOCK.finditer(whole):
        block = Block(page, whole[: match.start()].count("\n") + 1, match[2], textwrap.dedent(match[3]), match[4] or "")
        if not block.reason and (not languages or block.language in languages):
            yield block


def here(*languages: str) -> list[str]:
    return [page for page in PAGES if page not in ELSEWHERE and any(blocks(page, *languages))]


def test_each_language_is_one_that_is_run():
    known = {"sh", "console", "yaml", "python"}
    strange = [
        block for page in PAGES if page not in ELSEWHERE for block in blocks(page) if block.language not in known
    ]
    assert strange == []


@pytest.mark.parametrize("page", ELSEWHERE)
def test_what_is_run_elsewhere_is_named_there(page: str):
    test = (ROOT / ELSEWHERE[page]).read_text("utf-8")
    assert Path(page).name in test or Path(page).stem in test


# -- shells -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A newcomer's shell beside a running server, in a folder with the repository's scenarios."""
    for folder in ("trust_policies", "certs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "home" / ".aws").mkdir(parents=True)
    variables = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AWS_METADATA_SERVICE_TIMEOUT": "60",  # where nobody says, the AWS CLI waits for one second
        "HOME": str(tmp_path / "home"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "EMULATOR_PORT": str(free_port()),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    bash(variables, tmp_path, "sts-emulator certs > certs.log; sts-emulator start --scenario trust_policies")
    yield variables
    bash(variables, tmp_path, "sts-emulator stop")


def bash(environment: Mapping[str, str], folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


BEFORE: Final[Mapping[str, str]] = {
    "docs/worlds-and-time.md": "aws sts get-caller-identity > /dev/null",
    "docs/diff.md": """
        git init -q -b main
        statement='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
          "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},
          "Condition": {"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
                        "StringLike": {"token.actions.githubusercontent.com:sub": "repo:octo-org/REPOSITORY"}}}]}'
        echo "${statement/REPOSITORY/one:*}" > trust.json
        git add trust.json
        git -c user.name=me -c user.email=me@example.com commit -qm one
        echo "${statement/REPOSITORY/*}" > trust.json
    """,
}
"""What a page supposes to be there."""


@pytest.mark.clients
@pytest.mark.parametrize("page", here("sh", "console"))
def test_the_commands_of_a_page_run_as_its_story(page: str, environment: dict[str, str], tmp_path: Path):
    """In one shell, one after the other; what a page shows of their output is what they print."""
    begin = 'eval "$(sts-emulator env)"\n' + textwrap.dedent(BEFORE.get(page, ""))
    story, shown = [begin], []
    for block in blocks(page, "sh", "console"):
        for command, output in commands(block):
            file = tmp_path / f"output-{len(shown)}"
            shown.append((f"{page}:{block.line}: {command}", output, file))
            # What a page shows of a command that ends with "no" is shown all the same.
            forgiven = " || true" if output else ""
            story.append(f"{{ {command}\n}} > {file}{forgiven}")

    text = "\n".join(story).replace("127.0.0.1:4600", f"127.0.0.1:{environment['EMULATOR_PORT']}")
    done = bash(environment, tmp_path, text.replace("events --follow", "events"))  # which would not end

    assert done.returncode == 0, done.stderr
    for command, output, file in shown:
        printed = file.read_text("utf-8").replace(f":{environment['EMULATOR_PORT']}", ":4600")
        for line in output.splitlines():
            assert re.search(f"^{pattern(line)}", printed, re.MULTILINE), f"{command}\n{line}\n{printed}"


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """The commands of a block, and what is shown of their output: of a shell's script nothing is."""
    if block.language == "sh":
        yield block.text, ""
        return
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def pattern(line: str) -> str:
    """A line as it was shown; `…` stands for what differs from time to time, or is left out."""
    return ".*".join(re.escape(part) for part in line.split("…"))


# -- scenarios, and files of other tools ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "block",
    [block for page in here("yaml") for block in blocks(page, "yaml")],
    ids=lambda block: f"{Path(block.page).stem}-{block.line}",
)
def test_a_scenario_of_a_page_is_one(block: Block, tmp_path: Path):
    """Beside what pages name: the lab PKI in certs/, a plan and a template."""
    shutil.copytree(ROOT / "certs", tmp_path / "certs")
    folder = tmp_path / "trust_policies"
    folder.mkdir()
    (folder / "plan.json").write_text('{"format_version": "1.2", "planned_values": {"root_module": {}}}')
    (folder / "template.yaml").write_text("Parameters: {Stage: {Type: String}}\nResources: {}\n")
    main(["certs", "--folder", str(tmp_path / "certs")])
    parse_data(block.text.encode(), block.page, folder)


def test_what_the_page_about_ci_asks_of_the_action_and_the_hooks_is_there():
    first, second, *tools = [yaml.safe_load(block.text) for block in blocks("docs/ci.md", "yaml")]
    assert "expect" in first  # tests/docs/test_conventions.py tries it
    assert all("may" in expectation for expectation in second["expect"])
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    hooks = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}
    for step in [step for tool in tools for step in tool]:
        if "repo" in step:
            assert {hook["id"] for hook in step["hooks"]} <= hooks
        elif step["uses"].startswith("./"):
            assert step["with"].keys() <= action["inputs"].keys()


# -- Python -----------------------------------------------------------------------------------------------------------

EXCERPTS: Final = "docs/architecture.md"


def test_excerpts_are_what_the_program_says():
    sources = [path.read_text("utf-8") for path in (ROOT / "emulator").rglob("*.py")]
    for block in blocks(EXCERPTS, "python"):
        assert any(block.text in source for source in sources), block


PRELUDE: Final[Mapping[str, str]] = {
    "docs/oidc.md": """
        from sts_emulator.app import create_server
        from sts_emulator.settings import Settings
        server = create_server(Settings())
        world = server.worlds.get("default")
    """,
}
"""What the Python of a page supposes to be there."""


PYTHON = {
    f"{Path(block.page).stem}_{block.line}": block
    for page in here("python")
    if page != EXCERPTS
    for block in blocks(page, "python")
}
TESTS = {name for name, block in PYTHON.items() if "def test_" in block.text}


def program(name: str) -> str:
    block = PYTHON[name]
    return f"import boto3\nimport pytest\n{textwrap.dedent(PRELUDE.get(block.page, ''))}\n{block.text}"


def test_the_tests_of_pages_pass(tmp_path: Path):
    for name in TESTS:
        (tmp_path / f"test_{name}.py").write_text(program(name))
    done = python(tmp_path, "-m", "pytest", "-v", "-p", "no:cacheprovider", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {match[1] for match in re.finditer(r"test_(\S+)\.py::\S+ PASSED", done.stdout)} == TESTS


@pytest.mark.parametrize("name", sorted(PYTHON.keys() - TESTS))
def test_a_program_of_a_page_runs(name: str, tmp_path: Path):
    done = python(tmp_path, "-c", program(name))
    assert done.returncode == 0, done.stdout + done.stderr


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False)
