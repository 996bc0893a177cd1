"""A pattern as an automaton: whole values are matched in time linear in their length, whatever the pattern.

Our own: `re` backtracks, and a binding to RE2 would be a compiled dependency for a few dozen patterns of models.
"""

from __future__ import annotations

from typing import Final

from sts_emulator.wire.pattern_syntax import UNLIMITED, Anchor, Choice, Class, Node, PatternError, Repeat, Sequence

_MOST_STATES: Final = 2_000
_MOST_EDGES: Final = 20_000
_MOST_STEPS: Final = 50_000


class _State:
    """A set of places in the program, where each character leads from it, and whether a value may end here."""

    __slots__ = ("accepts", "edges", "places")

    def __init__(self, places: frozenset[int], *, accepts: bool) -> None:
        self.places = places
        self.accepts = accepts
        self.edges: dict[str, _State | None] = {}


class Automaton:
    """A pattern compiled to a program of classes and jumps, made deterministic state by state as values need it.

    The program is Thompson's construction; states and their edges are cached, within bounds.
    """

    def __init__(self, node: Node) -> None:
        self._program: list[tuple[str, Class | None, tuple[int, ...]]] = []
        self._emit(node)
        self._program.append(("match", None, ()))
        self._states: dict[frozenset[int], _State] = {}
        self._edges = 0
        self._start = self._state(self._closure({0}, passing="^"))

    def matches(self, value: str) -> bool:
        state = self._start
        for character in value:
            following = state.edges[character] if character in state.edges else self._step(state, character)
            if following is None:
                return False
            state = following
        return state.accepts

    def _step(self, state: _State, character: str) -> _State | None:
        if len(self._states) >= _MOST_STATES or self._edges >= _MOST_EDGES:
            self._forget()
        reached = {
            place + 1
            for place in state.places
            if (characters := self._program[place][1]) is not None and characters.contains(character)
        }
        following = self._state(self._closure(reached)) if reached else None
        state.edges[character] = following
        self._edges += 1
        return following

    def _state(self, places: frozenset[int]) -> _State:
        known = self._states.get(places)
        if known is None:
            accepts = any(self._program[place][0] == "match" for place in self._closure(set(places), passing="$"))
            known = self._states[places] = _State(places, accepts=accepts)
        return known

    def _forget(self) -> None:
        """Start over within bounded memory; what is still needed is built again."""
        self._start.edges.clear()  # the only way into the states: without it they are collected
        self._states = {self._start.places: self._start}
        self._edges = 0

    def _closure(self, places: set[int], *, passing: str = "") -> frozenset[int]:
        """All places reachable without reading a character, `passing` the anchor that holds here."""
        pending, seen = list(places), set(places)
        while pending:
            kind, _, targets = self._program[pending.pop()]
            if kind in ("jump", passing):
                fresh = [target for target in targets if target not in seen]
                seen.update(fresh)
                pending.extend(fresh)
        return frozenset(place for place in seen if self._program[place][0] != "jump")

    def _emit(self, node: Node) -> None:
        if isinstance(node, Class):
            self._program.append(("read", node, ()))
        elif isinstance(node, Anchor):
            self._program.append((node.symbol, None, (len(self._program) + 1,)))
        elif isinstance(node, Sequence):
            for part in node.parts:
                self._emit(part)
        elif isinstance(node, Choice):
            self._emit_choice(node)
        else:
            self._emit_repeat(node)
        if len(self._program) > _MOST_STEPS:
            raise PatternError("pattern too large")

    def _emit_choice(self, node: Choice) -> None:
        fork = self._reserve()
        starts, ends = [], []
        for branch in node.branches:
            starts.append(len(self._program))
            self._emit(branch)
            ends.append(self._reserve())
        self._jump(fork, *starts)
        for end in ends:
            self._jump(end, len(self._program))

    def _emit_repeat(self, node: Repeat) -> None:
        for _ in range(node.low):
            self._emit(node.part)
        forks = []
        for _ in range(1 if node.high == UNLIMITED else node.high - node.low):
            forks.append(self._reserve())
            self._emit(node.part)
        if node.high == UNLIMITED:
            self._jump(self._reserve(), forks[0])
        for fork in forks:
            self._jump(fork, fork + 1, len(self._program))

    def _reserve(self) -> int:
        self._program.append(("jump", None, ()))
        return len(self._program) - 1

    def _jump(self, place: int, *targets: int) -> None:
        self._program[place] = ("jump", None, targets)
