"""Who can and what can, over scenarios with identity policies, boundaries, organizations and chains."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from sts_emulator.analysis import descriptions as words
from sts_emulator.analysis.estate import Estate
from sts_emulator.analysis.graph import draw
from sts_emulator.analysis.reach import Reach, Way
from sts_emulator.cli.main import main
from sts_emulator.scenario import parse

DEV, PROD = "111122223333", "444455556666"
GITHUB = "token.actions.githubusercontent.com"

STAGE = f"""
issuers: {{github: {{preset: github}}}}
accounts:
  "{DEV}":
    oidc_providers: [{{issuer: github}}]
    policies:
      edge: [{{Effect: Allow, Action: "s3:*", Resource: "*"}}]
    groups:
      admins: {{inline: {{assume: [{{Effect: Allow, Action: "sts:*", Resource: "*"}}]}}}}
    users:
      alice: {{groups: [admins]}}
      bob:
      carol: {{inline: {{one: [{{Effect: Allow, Action: "sts:AssumeRole", Resource: "arn:aws:iam::{DEV}:role/vault"}}]}}}}
      dave: {{groups: [admins], boundary: edge}}
    roles:
      vault:
        trust: [{{Sid: Mfa, Effect: Allow, Principal: {{AWS: "{DEV}"}}, Action: sts:AssumeRole, Condition: {{Bool: {{aws:MultiFactorAuthPresent: "true"}}}}}}]
      ci:
        trust:
          - Effect: Allow
            Principal: {{Federated: "arn:aws:iam::{DEV}:oidc-provider/{GITHUB}"}}
            Action: sts:AssumeRoleWithWebIdentity
            Condition: {{StringLike: {{"{GITHUB}:sub": "repo:acme/*"}}, StringEquals: {{"{GITHUB}:aud": sts.amazonaws.com}}}}
        inline: {{out: [{{Effect: Allow, Action: sts:AssumeRole, Resource: "arn:aws:iam::{PROD}:role/*"}}]}}
      named: {{trust: [{{Effect: Allow, Principal: {{AWS: "arn:aws:iam::{DEV}:user/bob"}}, Action: sts:AssumeRole}}]}}
      web: {{trust: [{{Effect: Allow, Principal: {{Service: ec2.amazonaws.com}}, Action: sts:AssumeRole}}]}}
      nobody: {{trust: [{{Effect: Deny, Principal: {{AWS: "*"}}, Action: sts:AssumeRole}}]}}
      vendor: {{trust: [{{Effect: Allow, Principal: {{AWS: "999988887777"}}, Action: sts:AssumeRole, Condition: {{StringEquals: {{sts:ExternalId: abc}}}}}}]}}
  "{PROD}":
    roles:
      deploy:
        trust: [{{Effect: Allow, Principal: {{AWS: "arn:aws:iam::{DEV}:role/ci"}}, Action: sts:AssumeRole}}]
        inline: {{on: [{{Effect: Allow, Action: sts:AssumeRole, Resource: "*"}}]}}
      database: {{trust: [{{Effect: Allow, Principal: {{AWS: "{PROD}"}}, Action: sts:AssumeRole}}]}}
"""


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with Estate([parse(STAGE)]) as made:
        yield made


def who(estate: Estate, name: str, **options: bool) -> list[tuple[str, ...]]:
    (arn,) = estate.named(name, ("roles",))
    return [short(way) for way in Reach(estate).who_can(arn, **options)]


def short(way: Way) -> tuple[str, ...]:
    return tuple(
        words.short_arn(step.who).rpartition("/")[2] + (f" [{words.chosen(step.brings)}]" if step.brings else "")
        for step in way.steps
    )


@pytest.mark.parametrize(
    ("role", "ways"),
    [
        ("vault", [("alice [MFA]",), ("carol [MFA]",)]),
        ("named", [("bob",)]),
        ("web", [("ec2.amazonaws.com",)]),
        ("nobody", []),
        ("vendor", [("999988887777 [ExternalId=abc]",)]),
        ("ci", [(f"{GITHUB} [sub=repo:acme/any-repository:ref:refs/heads/main, aud=sts.amazonaws.com]",)]),
    ],
)
def test_who_can(estate: Estate, role: str, ways: list[tuple[str, ...]]):
    assert sorted(who(estate, role)) == sorted(ways)


def test_chains_lead_back_to_who_begins(estate: Estate):
    token = f"{GITHUB} [sub=repo:acme/any-repository:ref:refs/heads/main, aud=sts.amazonaws.com]"
    assert who(estate, "database") == [("deploy",), ("ci", "deploy"), (token, "ci", "deploy")]
    assert who(estate, "database", chains=False) == [("deploy",)]


def test_what_can(estate: Estate):
    ci = f"arn:aws:iam::{DEV}:role/ci"
    assert [way.role for way in Reach(estate).what_can(ci)] == [
        f"arn:aws:iam::{PROD}:role/deploy",
        f"arn:aws:iam::{PROD}:role/database",
    ]
    assert [way.role for way in Reach(estate).what_can(f"arn:aws:iam::{DEV}:user/dave")] == [], (
        "the boundary forbids it"
    )
    assert [way.role for way in Reach(estate).what_can("ec2.amazonaws.com")] == [f"arn:aws:iam::{DEV}:role/web"]
    assert [way.role for way in Reach(estate).what_can("999988887777")] == [f"arn:aws:iam::{DEV}:role/vendor"]


def test_keys_that_hold_whatever_a_policy_asks(estate: Estate):
    outside = Reach(estate, {f"{GITHUB}:sub": ("repo:evil/x:ref:refs/heads/main",)})
    assert outside.who_can(f"arn:aws:iam::{DEV}:role/ci") == []


def test_an_organization_has_its_say():
    text = (
        STAGE
        + f"""
organization:
  management: "999999999999"
  service_control_policies: {{none: [{{Effect: Deny, Action: "sts:*", Resource: "*"}}]}}
  accounts: {{"{DEV}": {{scps: [none]}}, "{PROD}": }}
"""
    )
    with Estate([parse(text)]) as closed:
        assert who(closed, "vault") == []
        assert who(closed, "database") == [("deploy",)]


def test_roles_that_can_assume_each_other_in_a_circle_end():
    pair = "".join(
        f'      {a}: {{trust: [{{Effect: Allow, Principal: {{AWS: "arn:aws:iam::{DEV}:role/{b}"}}, Action: sts:AssumeRole}}]}}\n'
        for a, b in (("a", "b"), ("b", "a"))
    )
    with Estate([parse(f'accounts:\n  "{DEV}":\n    roles:\n{pair}')]) as circle:
        ways = Reach(circle).who_can(f"arn:aws:iam::{DEV}:role/a")
        assert [short(way) for way in ways] == [("b",), ("a", "b")]
        ET.fromstring(draw(ways, "a circle", targets=[f"arn:aws:iam::{DEV}:role/a"]))


# -- drawings -----------------------------------------------------------------------------------------------------------------


def test_a_drawing_is_sound_and_shows_everybody(estate: Estate):
    arn = f"arn:aws:iam::{PROD}:role/database"
    drawing = draw(Reach(estate).who_can(arn), f"Who can assume {arn}", targets=[arn])
    root = ET.fromstring(drawing)
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"database", "deploy", "ci"} <= texts
    boxes = [
        [float(rectangle.get(name, "nan")) for name in ("x", "y", "width", "height")]
        for rectangle in root.iter("{http://www.w3.org/2000/svg}rect")
        if rectangle.get("class") != "paper"
    ]
    assert len(boxes) == 4
    assert all(not _overlap(a, b) for n, a in enumerate(boxes) for b in boxes[n + 1 :])
    assert "<script" not in drawing


def test_names_are_whole_and_arrows_go_around_boxes():
    """`last` trusts the first, the middle and itself in a circle, so that arrows skip columns and lead back."""
    name = "a-role-with-the-longest-name-that-iam-takes-sixty-four-letters-x"
    trust = "{Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {AWS: [%s]}, Action: 'sts:AssumeRole'}]}"
    arns = {role: f"'arn:aws:iam::{DEV}:role/{role}'" for role in ("first", "second", name, "last")}
    trusted = {"first": ("last",), "second": ("first",), name: ("second",), "last": ("first", "second", name)}
    roles = "".join(
        f"      {role}: {{trust: {trust % ', '.join(arns[other] for other in others)}, "
        f"inline: {{all: {{Version: '2012-10-17', Statement: [{{Effect: Allow, Action: '*', Resource: '*'}}]}}}}}}\n"
        for role, others in trusted.items()
    )
    with Estate([parse(f'accounts:\n  "{DEV}":\n    roles:\n{roles}')]) as tangle:
        asked = [f"arn:aws:iam::{DEV}:role/{role}" for role in trusted]
        ways = [way for arn in asked for way in Reach(tangle).who_can(arn)]
        root = ET.fromstring(draw(ways, "a tangle", targets=asked[-1:]))
    svg = "{http://www.w3.org/2000/svg}"
    assert name in {element.text for element in root.iter(f"{svg}text")}
    boxes = [
        [float(element.get(side)) for side in ("x", "y", "width", "height")]
        for element in root.iter(f"{svg}rect")
        if element.get("class") != "paper"
    ]
    arrows = [element.get("d") for element in root.iter(f"{svg}path") if "edge" in element.get("class")]
    assert (len(boxes), len(arrows)) == (4, 6)
    crossed = [
        (arrow, box)
        for arrow in arrows
        for point in _points(arrow)
        for box in boxes
        if box[0] + 1 < point[0] < box[0] + box[2] - 1 and box[1] + 1 < point[1] < box[1] + box[3] - 1
    ]
    assert not crossed


def _points(path: str) -> list[tuple[float, float]]:
    """Points along a path of lines and cubic curves, twenty of each piece."""
    numbers = [(letter, list(map(float, rest.split()))) for letter, rest in re.findall(r"([MLC])([^MLC]+)", path)]
    points: list[tuple[float, float]] = []
    here = (0.0, 0.0)
    for letter, values in numbers:
        pairs = list(zip(values[::2], values[1::2], strict=True))
        if letter != "M":
            controls = [here, *pairs] if letter == "C" else [here, here, pairs[0], pairs[0]]
            weights = ((((1 - t) ** 3), 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3) for t in _SHARES)
            points += [
                (
                    sum(w * c[0] for w, c in zip(four, controls, strict=True)),
                    sum(w * c[1] for w, c in zip(four, controls, strict=True)),
                )
                for four in weights
            ]
        here = pairs[-1]
    return points


_SHARES = [number / 20 for number in range(21)]


def _overlap(a: list[float], b: list[float]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def test_names_cannot_break_out_of_a_drawing():
    drawing = draw([], '<script>alert(1)</script> & "x"', targets=['arn:aws:iam::1:role/<b>&"'])
    ET.fromstring(drawing)
    assert "<script>" not in drawing


# -- commands -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stage(here: Path) -> Path:
    (here / "stage.yaml").write_text(STAGE)
    return here / "stage.yaml"


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize("asked", [["who-can", "vendor"], ["what-can", "bob"]])
def test_files_may_follow_what_is_asked(asked: list[str], capsys: pytest.CaptureFixture[str]):
    assert main([*asked, "stage.yaml"]) == 0
    told = capsys.readouterr().out

    assert main([*asked, "--in", "stage.yaml"]) == 0
    assert capsys.readouterr().out == told


@pytest.mark.usefixtures("stage")
def test_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")  # wherever this test runs
    assert main(["who-can", "vendor", "--in", "stage.yaml"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert re.split(r"\s{2,}", head) == ["WHO", "ROLE", "WITH", "WHEN"]
    assert re.split(r"\s{2,}", row) == [
        "any principal of account 999988887777 ?",
        f"arn:aws:iam::{DEV}:role/vendor",
        "ExternalId=abc",
        "ExternalId is abc",
    ]


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["who-can", "nobody"], 1, f"nobody can assume arn:aws:iam::{DEV}:role/nobody"),
        (["who-can", "missing"], 2, "no role `missing`"),
        (["what-can", "bob"], 0, "role/named"),
        (["what-can", "erin"], 2, "no user, role, provider, service or account `erin`"),
        (["what-can", GITHUB], 0, "role/ci"),
        (["what-can", "arn:aws:iam::1:user/x"], 2, "is not in these files"),
        (["what-can", "121212121212"], 1, "can assume no role"),
        (["who-can", "ci", "--key", "novalue"], 2, "--key takes NAME=VALUE"),
        (["who-can", "ci", "--account", "12"], 2, "--account takes an account id of twelve digits"),
    ],
)
def test_answers_and_exit_codes(arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]):
    assert main([*arguments, "--in", "stage.yaml"]) == code
    told = capsys.readouterr()
    assert message in told.out + told.err


@pytest.mark.usefixtures("stage")
def test_json_and_svg(capsys: pytest.CaptureFixture[str]):
    assert main(["who-can", "database", "--in", "stage.yaml", "--format", "json"]) == 0
    ways = json.loads(capsys.readouterr().out)["ways"]
    assert [len(way["steps"]) for way in ways] == [1, 2, 3]
    assert main(["what-can", "ci", "--in", "stage.yaml", "--format", "svg"]) == 0
    ET.fromstring(capsys.readouterr().out)


def test_the_picture_of_the_page_is_that_of_the_scenarios():
    """The page shows what the repository's own scenarios say."""
    root = Path(__file__).parents[2]
    with Estate.of_files(sorted((root / "trust_policies").glob("*.yaml"))) as ours:
        arns = [ours.named(name, ("roles",))[0] for name in ("migrate-database", "vault")]
        ways = [way for arn in arns for way in Reach(ours).who_can(arn)]
        drawing = draw(ways, "Who can assume migrate-database and vault", targets=arns)
    assert (root / "docs" / "pictures" / "who-can.svg").read_text("utf-8") == drawing


@pytest.mark.parametrize(
    ("until", "told"),
    [("2020-01-01T00:00:00Z", "nobody can assume"), ("2999-01-01T00:00:00Z", "any principal of account")],
)
def test_nobody_goes_back_in_time(until: str, told: str, here: Path, capsys: pytest.CaptureFixture[str]):
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "111122223333"},
        "Action": "sts:AssumeRole",
        "Condition": {"DateLessThan": {"aws:CurrentTime": until}},
    }
    (here / "trust.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    main(["who-can", "trust", "trust.json", "--account", "111122223333", "--wide"])
    assert told in capsys.readouterr().out
