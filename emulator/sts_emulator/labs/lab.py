"""What a lab is made of, as its `lab.yaml` says it: story, steps, predictions, hints, checks, and ways that fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from sts_emulator.policy.layers import WORDS
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.expect import Expectation, Result
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.shape import Mistake, Reader, Shape, text

PROOF: Final = "proof"
"""In place of a layer: the evidence itself was refused, and no policy was asked."""

LAYERS: Final = (PROOF, *WORDS)
"""What a learner may name as the reason of a refusal."""


class Reason(str):
    """One of LAYERS."""

    __slots__ = ()

    @classmethod
    def read_node(cls, _reader: Reader, node: Node) -> Reason:
        if node.value not in LAYERS:
            raise Mistake(f"expected one of {', '.join(LAYERS)}, got {node.kind}")
        return cls(text(node))


@dataclass(frozen=True, kw_only=True)
class Prediction(Shape):
    """A question that is answered before a step's commands are run, and scored against the decision that they bring.

    `about` says which attempt that is: members of its record by their path, and patterns of their values. `answer`,
    and for a refusal `layer`, are what comes; `because` explains it to whoever has answered and looked.
    """

    question: str
    about: Mapping[str, str]
    answer: Result
    layer: Reason | None = None
    because: str

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> Prediction:
        """Read one; a refusal has its layer."""
        prediction = reader.shape(cls, node)
        if prediction.answer == "deny" and prediction.layer is None:
            raise Mistake("a refusal has a `layer`")
        return prediction


@dataclass(frozen=True, kw_only=True)
class Step(Shape):
    """One thing to do. `commands` are shown; `solution` only by `solve`, where the learner is to find them."""

    title: str
    text: str
    commands: str = ""
    predict: Prediction | None = None
    solution: str = ""


@dataclass(frozen=True, kw_only=True)
class Hint(Shape):
    """A hint, and what makes it true: expectations that hold at the `start`, or once the lab is `solved`.

    Where they cannot say it, `so` names functions like those of checks, which find nothing wrong at the start.
    """

    text: str
    so: tuple[str, ...] = ()
    start: tuple[Expectation, ...] = ()
    solved: tuple[Expectation, ...] = ()

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> Hint:
        """Read one, and see that it can be tried."""
        hint = reader.shape(cls, node)
        if not (hint.so or hint.start or hint.solved):
            raise Mistake("a hint says what makes it true: expectations at the `start` or when it is `solved`, or `so`")
        return hint


@dataclass(frozen=True, kw_only=True)
class Wrong(Shape):
    """A way that does not do: what is tried `instead` of a step, and by which check it is refused."""

    text: str
    commands: str
    instead: str
    refused_by: str


@dataclass(frozen=True, kw_only=True)
class Lab(Shape):
    """A lab. Steps, checks and wrong ways have names, by which the functions of its `module` are found.

    `accounts` are names of accounts whose ids are made anew at each start, `uses` the services that must be behind
    the door, `buckets` what is in S3 at the start. `user` is whose keys the learner has (of the first account;
    nothing: its root), `environment` what else their shell is given.
    """

    title: str
    method: str
    minutes: int
    summary: str
    module: str
    story: str
    picture: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    accounts: tuple[str, ...] = ("account",)
    user: str = ""
    uses: tuple[str, ...] = ()
    buckets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, Step]
    hints: tuple[Hint, ...]
    checks: Mapping[str, str]
    wrong: Mapping[str, Wrong] = field(default_factory=dict)
    learned: str

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> Lab:
        """Read one, and see that its wrong ways name what is there."""
        lab = reader.shape(cls, node)
        for name, way in (lab.wrong or {}).items():
            if way is not None and (way.instead not in lab.steps or way.refused_by not in lab.checks):
                raise Mistake(f"wrong way `{name}`: `instead` names a step, `refused_by` a check")
        return lab
