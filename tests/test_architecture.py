"""The house rules that a reader may rely on, checked on the syntax trees of the package."""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from sts_emulator.analysis import callers
from sts_emulator.catalogue import METHODS
from sts_emulator.core.store import Shape
from sts_emulator.policy.caller_keys import class_named
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.deciding.matching import CALLER_TYPES, principals
from sts_emulator.policy.explaining.single_changes import principal_entry
from sts_emulator.policy.federated import KINDS
from sts_emulator.scenario import evidence
from sts_emulator.scenario.model import section_of

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "emulator" / "sts_emulator"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Loaded at server start, so nothing heavy may be imported at their top level (FastAPI took 266 ms, PyJWT 83, …).
HEAVY = {
    "fastapi",
    "webauthn",
    "pydantic",
    "jwt",
    "lxml",
    "onelogin",
    "xmlsec",
    "jinja2",
    "httpx",
    "yaml",
    "psycopg",
    "botocore",
}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(parsed(path)))


def imports(path: Path, *, top_level: bool = False) -> set[str]:
    """First names of the modules that a file imports."""
    names = set()
    for node in parsed(path).body if top_level else nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@cache
def calls(path: Path) -> frozenset[str]:
    """Dotted names that a file calls or reads."""
    return frozenset(dotted(node) for node in nodes(path) if isinstance(node, ast.Attribute))


@pytest.fixture(scope="module", autouse=True)
def forgotten_afterwards() -> Iterator[None]:
    """They are 300 MB, through which each full collection of the rest of the run would look."""
    yield
    for kept in (parsed, nodes, calls):
        kept.cache_clear()


def dotted(node: ast.expr) -> str:
    """`time.time`; of what is no name, only what follows it."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_only_the_store_imports_a_database_driver():
    users = {name(p) for p in SOURCES if imports(p) & {"sqlite3", "psycopg", "psycopg_pool"}}
    assert users <= {
        p for p in users if p.startswith(("emulator/sts_emulator/core/sqlite", "emulator/sts_emulator/core/postgres"))
    }


def test_botocore_is_never_imported_by_the_server():
    # emulation.py's client() hands out boto3 clients to tests, and labs/hands.py does a lab beside the server; neither
    # is part of it.
    users = {name(p) for p in SOURCES if any(i.split(".")[0] in ("botocore", "boto3") for i in imports(p))}
    assert users <= {"emulator/sts_emulator/emulation.py", "emulator/sts_emulator/labs/hands.py"}


def test_only_the_clock_reads_the_time():
    readers = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"}
    offenders = {name(p) for p in SOURCES if calls(p) & readers}
    assert offenders <= {"emulator/sts_emulator/core/clock.py"}


def test_only_settings_reads_the_environment():
    readers = {"os.environ", "os.getenv"}
    # exec.py hands an environment to the command that it runs.
    offenders = {name(p) for p in SOURCES if calls(p) & readers}
    assert offenders <= {"emulator/sts_emulator/settings.py", "emulator/sts_emulator/cli/exec.py"}


def test_only_credentials_builds_credentials():
    builders = {
        name(p)
        for p in SOURCES
        for node in nodes(p)
        if isinstance(node, ast.Call) and dotted(node.func).endswith("Credentials")
    }
    assert builders <= {"emulator/sts_emulator/vending/credentials.py"}


@pytest.mark.parametrize("room", ["core", "policy", "wire", "accounts", "vending", "methods"])
def test_nothing_heavy_is_imported_where_the_server_starts(room):
    for path in (PACKAGE / room).rglob("*.py"):
        heavy = {i for i in imports(path, top_level=True) if i.split(".")[0] in HEAVY}
        if path.stem.startswith("postgres"):  # the adapter is itself imported where a state is opened
            heavy -= {"psycopg"}
        assert not heavy, f"{name(path)} imports {heavy} at its top level"


def test_policy_needs_nothing_but_the_standard_library():
    import sys

    for path in (PACKAGE / "policy").rglob("*.py"):
        outside = {i for i in imports(path) if i.split(".")[0] not in sys.stdlib_module_names | {"sts_emulator"}}
        assert not outside, f"{name(path)} imports {outside}"


def test_dataclasses_are_ours():
    """docs/decisions, 2: the standard library's take a fifth of the start."""
    users = {
        name(path)
        for path in SOURCES
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses"
        if any(alias.name == "dataclass" for alias in node.names)
    }
    assert users == {"emulator/sts_emulator/policy/light_dataclass.py"}


def test_documents_have_their_shape_for_writers_too():
    """For a kind of covariant shape mypy takes any mapping, also one with a misspelt member."""
    assert not Shape.__covariant__


@pytest.mark.parametrize("room", ["policy", "vending"])
def test_values_are_not_changed_after_they_are_built(room):
    """docs/decisions, 2: only a Context is filled while its call comes along, and an `__init__` gets its name."""
    for path in (PACKAGE / room).rglob("*.py"):
        stored = [node for node in nodes(path) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
        changed = {ast.unparse(node) for node in stored if ast.unparse(node.value) not in ("self", "ctx", "made_init")}
        assert not changed, f"{name(path)} assigns to {changed}"


def test_every_room_stands_on_its_page_and_in_its_picture():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    picture = (ROOT / "docs" / "pictures" / "architecture.svg").read_text("utf-8")
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {room for room in rooms if f"`{room}`" not in page} == set()
    assert {room for room in rooms if f">{room}</text>" not in picture} == set()


def test_every_file_says_what_it_owns_and_none_is_long():
    for path in SOURCES:
        text = path.read_text("utf-8")
        assert ast.get_docstring(parsed(path)), f"{name(path)} has no docstring"
        assert text.count("\n") <= 600, f"{name(path)} is too long: is there a second noun in it?"


def test_no_two_modules_of_tests_share_a_name():
    """They are imported by it, whatever their folder: one would stand for the other."""
    packages = {path.parent for path in (ROOT / "tests").rglob("__init__.py")}
    modules = [path for path in (ROOT / "tests").rglob("*.py") if path.parent not in packages]
    names = Counter(path.name for path in modules if path.name != "conftest.py")
    assert [name for name, number in names.items() if number > 1] == []


def test_no_base_name_of_a_module_occurs_three_times():
    """So that a name says what a file holds, also without its folder."""
    names = Counter(path.stem for path in SOURCES if path.stem != "__init__")
    assert [name for name, number in names.items() if number > 2] == []


LOOSE = {"each", "found", "one"}


def test_locals_are_named_by_nouns_of_the_field():
    loose = [
        f"{name(path)}:{node.lineno}"
        for path in SOURCES
        for node in nodes(path)
        if (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in LOOSE)
        or (isinstance(node, ast.arg) and node.arg in LOOSE)
    ]
    assert not loose


def test_loops_of_tests_have_nouns_too():
    loops = (ast.For, ast.AsyncFor, ast.comprehension)
    loose = [
        f"{name(path)}:{target.lineno}"
        for path in (ROOT / "tests").rglob("*.py")
        for node in nodes(path)
        if isinstance(node, loops)
        for target in ast.walk(node.target)
        if isinstance(target, ast.Name) and target.id in LOOSE
    ]
    assert not loose


def test_arns_are_taken_apart_in_one_place():
    """policy/arns.py; what counts colons elsewhere reads patterns, with wildcards and variables in any part."""
    sources = [*SOURCES, *PACKAGE.rglob("*.html")]
    split = re.compile(r"split\([\"']:[\"'][^)]*\)\[[3-6]\]|arn\.split\([\"']:[\"']")
    by_hand = {name(path) for path in sources if split.search(path.read_text("utf-8"))}
    assert not by_hand
    counting = {name(path) for path in SOURCES if "ARN_PARTS" in path.read_text("utf-8")}
    assert all("/policy/deciding/" in place or "/policy/saving/" in place for place in counting)


def test_every_operation_of_every_method_agrees_with_its_model():
    """Loading a module checks its operations against botocore's models; the server itself loads them lazily."""
    import importlib

    from sts_emulator.catalogue import METHODS, SERVICES

    for method in METHODS + SERVICES:
        for modules in method.operations.values():
            for module in modules:
                importlib.import_module(module)
        for modules in method.pages.values():
            for module in modules:
                importlib.import_module(module)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_no_method_is_half_there(method):
    """What each brings, all of it found and of the right form (docs/adding-a-method.md)."""
    assert method.operations or method.pages
    assert method.sections
    for row in method.sections:
        assert (section_of(row).key, section_of(row).scope) == (row.key, row.scope)
    assert method.evidence
    for proof in method.evidence:
        kind = evidence.kind(proof.key)
        assert list(inspect.signature(kind.present).parameters)[:3] == ["call", "expectation", "role_arn"]
        assert len(inspect.signature(kind.supposed).parameters) == 3
    assert (ROOT / "docs" / f"{PAGES_OF_METHODS.get(method.name, method.name.replace(' ', '-'))}.md").exists()


PAGES_OF_METHODS = {"instance profile": "instance-profiles", "web identity": "oidc"}


@pytest.mark.parametrize("caller", sorted(CALLER_TYPES - {"anonymous"}))
def test_every_kind_of_caller_is_proven_by_a_method(caller):
    principal = Principal(caller, "arn:aws:iam::111111111111:user/somebody", user_arn="arn")
    assert evidence.kind_for(principal)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
def test_each_kind_of_provider_is_known_to_every_analysis(kind):
    """Its callers are told apart from others wherever a policy is judged, explained or searched."""
    provider = kind.arn("111111111111", "example.com")
    caller = callers.federated(provider)
    assert (caller.principal.type, caller.action) == (kind.type, kind.action)
    assert class_named("Federated", provider).kind == kind.type
    assert principal_entry(caller.principal) == ("Federated", provider)
    assert principals({"Federated": [provider]}).match(caller.principal) == "direct"
    assert principals({"AWS": ["*"]}).match(caller.principal) is None


def imported_within(room: Path) -> dict[str, set[str]]:
    """The modules of a room, each with those of the same room that it imports at run time, also inside a function."""
    modules = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in room.rglob("*.py")}
    return {module: run_time_imports(path) & modules.keys() - {module} for module, path in modules.items()}


def run_time_imports(path: Path) -> set[str]:
    tree = parsed(path)
    for_types = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in for_types:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def reached(module: str, imported: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(imported[module])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += imported[name]
    return seen


@pytest.mark.parametrize(
    "room", sorted(path.parent for path in PACKAGE.glob("*/__init__.py")), ids=lambda path: path.name
)
def test_the_files_of_a_room_import_each_other_in_no_circle(room):
    imported = imported_within(room)
    reach = {module: reached(module, imported) for module in imported}
    circles = {
        tuple(sorted(other.rpartition(".")[2] for other in names if module in reach[other]))
        for module, names in reach.items()
        if module in names
    }

    assert not circles
