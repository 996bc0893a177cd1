"""Draws ways to roles as SVG: origins on the left, roles to the right of whoever can assume them. No tool needed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from sts_emulator.analysis import descriptions as words
from sts_emulator.analysis.reach import Step, Way
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.federated import KINDS
from sts_emulator.policy.light_dataclass import dataclass

NARROWEST, WIDEST, HEIGHT, COLUMN_GAP, ROW_GAP, MARGIN = 300, 720, 62, 96, 20, 28
BADGE_SPACE: Final = 60
LANE: Final = 7  # between the arrows that lead back
TITLE_SPACE: Final = 46
MOST_IN_A_COLUMN: Final = 40
MOST_COLUMNS: Final = 24
_PER_CHARACTER: Final = {13: 8.4, 11: 6.7}  # pixels, by font size; an upper estimate for sans-serif fonts
_ROUNDS: Final = 4

_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "user": ("U", "IAM user"),
    "role": ("R", "IAM role"),
    "account": ("A", "AWS account"),
    "anybody": ("*", "any AWS account"),
    **{kind.type: (kind.title[0], kind.title) for kind in KINDS},
    "service": ("⚙", "AWS service"),
    "more": ("…", ""),
}
STYLE: Final = """
text { font-family: ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #1f2933 }
.title { font-size: 17px; font-weight: 600 } .note { font-size: 12px; fill: #616e7c }
.name { font-size: 13px; font-weight: 600 } .line { font-size: 11px; fill: #52606d }
.box { fill: #ffffff; stroke: #cbd2d9; stroke-width: 1.2 } .paper { fill: #f8fafc }
.badge { font-size: 14px; font-weight: 700; fill: #ffffff; text-anchor: middle }
.edge { fill: none; stroke: #7b8794; stroke-width: 1.6 } .depends { stroke-dasharray: 5 4 } .tip { fill: #7b8794 }
.user { fill: #2b6cb0 } .role { fill: #6b46c1 } .account { fill: #4a5568 } .anybody { fill: #c53030 }
circle { fill: #2f855a } .saml { fill: #b7791f } .service { fill: #dd6b20 } .more { fill: #9aa5b1 }
.target { stroke: #6b46c1; stroke-width: 2.4 }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e7eb } .note, .line { fill: #9aa5b1 } .box { fill: #1f2933; stroke: #3e4c59 } .paper { fill: #12181f }
  .edge { stroke: #7b8794 } .target { stroke: #9f7aea }
}
"""


@dataclass
class Node:
    """A box: `column` from the left; `lines` stand below its name."""

    key: str
    kind: str
    name: str
    lines: tuple[str, ...]
    column: int = 0
    row: float = 0.0
    is_target: bool = False

    @property
    def texts(self) -> Iterator[tuple[str, int]]:
        """What stands in the box, and the size of its letters."""
        yield self.name, 13
        yield from ((line, 11) for line in self.lines)


@dataclass
class Graph:
    """Boxes by key, and the arrows between them with the step that each stands for."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str], Step] = field(default_factory=dict)
    bends: dict[tuple[str, str], list[Node]] = field(default_factory=dict)
    """Places without a box, by which an arrow leads through the columns that it skips."""

    @property
    def width(self) -> int:
        """Of every box: so that names are whole."""
        longest = max(
            (_wide(text, size) for node in self.nodes.values() for text, size in node.texts), default=NARROWEST
        )
        return min(max(NARROWEST, BADGE_SPACE + int(longest) + 1), WIDEST)

    @property
    def links(self) -> Iterator[tuple[Node, Node]]:
        """What stands in neighbouring columns and belongs together."""
        for (source, target), bends in self.bends.items():
            yield from itertools.pairwise([self.nodes[source], *bends, self.nodes[target]])


Link = Callable[[Step], str]


def draw(ways: Sequence[Way], title: str, *, targets: Iterable[str], link: Link | None = None) -> str:
    """The ways as one SVG document; `targets` are the ARNs that the question was about.

    With a `link` for each arrow it is a part of a page instead, which brings STYLE itself.
    """
    graph = _graph(ways, frozenset(targets))
    columns = _arranged(graph)
    return "\n".join(_document(graph, columns, title, link))


def _graph(ways: Sequence[Way], targets: frozenset[str]) -> Graph:
    graph = Graph()
    for way in ways:
        for step in way.steps:
            _node(graph, step.who, step.kind, targets)
            _node(graph, step.role, "role", targets)
            graph.edges[step.who, step.role] = step
    for target in sorted(targets - graph.nodes.keys()):
        _node(graph, target, "user" if ":user/" in target else "role", targets)
    brought: dict[str, set[str]] = {}
    for (source, _), step in graph.edges.items():
        told = words.chosen(dict(sorted(step.brings.items(), key=_telling)))
        brought.setdefault(source, set()).add(told)
    for key, needs in brought.items():
        node, only = graph.nodes[key], next(iter(needs))
        last = f"{len(needs)} ways" if len(needs) > 1 else f"with {only}" if only else ""
        node.lines = (*node.lines, last)
    return graph


def _telling(brought: tuple[str, Sequence[str]]) -> bool:
    """Audiences last: they are nearly always the same."""
    return brought[0].lower().endswith(":aud")


def _node(graph: Graph, key: str, kind: str, targets: frozenset[str]) -> None:
    if key in graph.nodes:
        return
    account = account_in(key)
    where = f"{_KINDS[kind][1]}{f' · {account}' if account else ''}"
    name = words.short_arn(key).partition("/")[2] or words.short_arn(key)
    if kind in ("account", "anybody"):
        name = key if kind == "account" else "anybody"
    graph.nodes[key] = Node(key, kind, name, (where,), is_target=key in targets)


# -- arranging -------------------------------------------------------------------------------------------------------


def _arranged(graph: Graph) -> list[list[Node]]:
    """Columns by the longest way from an origin, rows so that arrows cross little."""
    _set_columns(graph)
    used = sorted({node.column for node in graph.nodes.values()})  # circles may have left some empty
    for node in graph.nodes.values():
        node.column = used.index(node.column)
    columns: list[list[Node]] = [[] for _ in range(max((node.column for node in graph.nodes.values()), default=0) + 1)]
    for node in graph.nodes.values():
        columns[node.column].append(node)
    columns = [_shortened(graph, number, column) for number, column in enumerate(columns)]
    _set_bends(graph, columns)
    tallest = max(map(len, columns), default=1)
    for column in columns:
        for row, node in enumerate(column):
            node.row = row + (tallest - len(column)) / 2
    near: dict[str, list[Node]] = {}
    for source, target in graph.links:
        near.setdefault(source.key, []).append(target)
        near.setdefault(target.key, []).append(source)
    for _ in range(_ROUNDS):
        for column in columns:
            _sort(near, column, tallest)
    return columns


def _set_bends(graph: Graph, columns: list[list[Node]]) -> None:
    """Give each arrow a place of its own in the columns that it skips; arrows to one box share it."""
    places: dict[tuple[str, int], Node] = {}
    for pair in graph.edges:
        source, target = (graph.nodes[key] for key in pair)
        graph.bends[pair] = []
        for number in range(source.column + 1, target.column):
            if (target.key, number) not in places:
                bend = Node(f"to {target.key} in {number}", "bend", "", (), number)
                places[target.key, number] = bend
                columns[number].append(bend)
            graph.bends[pair].append(places[target.key, number])


def _set_columns(graph: Graph) -> None:
    for _ in range(min(len(graph.nodes), MOST_COLUMNS)):
        changed = False
        for source, target in graph.edges:
            wanted = graph.nodes[source].column + 1
            if graph.nodes[target].column < wanted <= len(graph.nodes) and source != target:
                graph.nodes[target].column, changed = wanted, True
        if not changed:
            return
    # Roles that can assume each other in a circle have no longest way: each stands one to the right of its first.
    for node in graph.nodes.values():
        node.column = 0 if not any(target == node.key for _, target in graph.edges) else 1


def _shortened(graph: Graph, number: int, column: list[Node]) -> list[Node]:
    """A column with at most so many boxes; one box stands for the rest."""
    if len(column) <= MOST_IN_A_COLUMN:
        return column
    kept = sorted(column, key=lambda node: not node.is_target)[: MOST_IN_A_COLUMN - 1]
    gone = {node.key for node in column} - {node.key for node in kept}
    more = Node(f"more {number}", "more", f"and {len(gone)} more", ("",), number)
    for pair, step in list(graph.edges.items()):
        source, target = (more.key if key in gone else key for key in pair)
        if (source, target) != pair:
            del graph.edges[pair]
            graph.edges.setdefault((source, target), step)
    for key in gone:
        del graph.nodes[key]
    graph.nodes[more.key] = more
    return [*kept, more]


def _sort(near: Mapping[str, Sequence[Node]], column: list[Node], tallest: int) -> None:
    def pull(node: Node) -> float:
        rows = [other.row for other in near.get(node.key, ())]
        return sum(rows) / len(rows) if rows else node.row

    column.sort(key=pull)
    for row, node in enumerate(column):
        node.row = row + (tallest - len(column)) / 2


# -- drawing ---------------------------------------------------------------------------------------------------------


def _document(graph: Graph, columns: Sequence[Sequence[Node]], title: str, link: Link | None) -> Iterator[str]:
    tallest = max(map(len, columns), default=1)
    box, back = graph.width, _leading_back(graph)
    width = 2 * MARGIN + len(columns) * box + (len(columns) - 1) * COLUMN_GAP + (COLUMN_GAP if back else 0)
    width = max(width, int(2 * MARGIN + len(title) * 9.2))
    floor = TITLE_SPACE + MARGIN + tallest * HEIGHT + max(0, tallest - 1) * ROW_GAP
    height = floor + MARGIN + 22 + len(back) * LANE
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    yield f"<title>{escape(title)}</title>{'' if link else f'<style>{STYLE}</style>'}"
    yield f'<rect class="paper" width="{width}" height="{height}"/>'
    yield f'<text class="title" x="{MARGIN}" y="{MARGIN + 12}">{escape(title)}</text>'
    for (source, target), step in graph.edges.items():
        number = back.index((source, target)) if (source, target) in back else None
        path = _forward(graph, source, target) if number is None else _back(graph, source, target, floor, number)
        edge = _edge(path, step)
        yield f"<a href={quoteattr(link(step))}>{edge}</a>" if link else edge
    for node in graph.nodes.values():
        yield from _box(node, box)
    yield f'<text class="note" x="{MARGIN}" y="{height - 14}">{_LEGEND}</text>'
    yield "</svg>\n"


_LEGEND: Final = (
    "an arrow: can assume, decided by the policy engine · dashed: only if policies not seen here allow it too"
)


def _place(node: Node, width: int) -> tuple[float, float]:
    x = MARGIN + node.column * (width + COLUMN_GAP)
    return x, MARGIN + TITLE_SPACE + node.row * (HEIGHT + ROW_GAP)


def _leading_back(graph: Graph) -> list[tuple[str, str]]:
    """Arrows of circles: to a box in the same column, or further left."""
    return [(a, b) for a, b in graph.edges if graph.nodes[b].column <= graph.nodes[a].column]


def _forward(graph: Graph, source: str, target: str) -> str:
    """From box to box, straight through the places between them; curves stay in the gaps."""
    places = [graph.nodes[source], *graph.bends[source, target], graph.nodes[target]]
    path = ""
    for node, following in itertools.pairwise(places):
        (x1, y1), (x2, y2) = _place(node, graph.width), _place(following, graph.width)
        left, start, middle = x1, x1 + graph.width, y1 + HEIGHT / 2
        end, bend, arrival = x2 - (9 if following.kind != "bend" else 0), COLUMN_GAP / 2, y2 + HEIGHT / 2
        path += f" L{left:.0f} {middle:.0f} L{start:.0f} {middle:.0f}" if path else f"M{start:.0f} {middle:.0f}"
        path += f" C{start + bend:.0f} {middle:.0f} {end - bend:.0f} {arrival:.0f} {end:.0f} {arrival:.0f}"
    return path


def _back(graph: Graph, source: str, target: str, floor: float, number: int) -> str:
    """Down in the gap behind its box, left below all boxes, up in the gap before the other."""
    (x1, y1), (x2, y2) = (_place(graph.nodes[key], graph.width) for key in (source, target))
    shift = number % 5 * LANE
    down, up, lane = x1 + graph.width + 14 + shift, x2 - 16 - min(shift, MARGIN - 20), floor + 8 + number * LANE
    start, end = y1 + HEIGHT / 2 + 9, y2 + HEIGHT / 2
    return (
        f"M{x1 + graph.width:.0f} {start:.0f} L{down:.0f} {start:.0f} L{down:.0f} {lane:.0f} "
        f"L{up:.0f} {lane:.0f} L{up:.0f} {end:.0f} L{x2 - 9:.0f} {end:.0f}"
    )


def _edge(path: str, step: Step) -> str:
    style = "edge depends" if step.depends else "edge"
    told = escape("; ".join((step.action, *step.when)))
    x, y = (float(number.lstrip("L")) for number in path.split()[-2:])
    tip = f"M{x:.0f} {y - 5:.0f} l9 5 l-9 5 z"
    return f'<g><title>{told}</title><path class="{style}" d="{path}"/><path class="tip" d="{tip}"/></g>'


def _box(node: Node, width: int) -> Iterator[str]:
    x, y = _place(node, width)
    badge = _KINDS[node.kind][0]
    target = " target" if node.is_target else ""
    room = width - BADGE_SPACE
    yield f"<g><title>{escape(node.key)}</title>"
    yield f'<rect class="box{target}" x="{x:.0f}" y="{y:.0f}" width="{width}" height="{HEIGHT}" rx="9"/>'
    yield f'<circle class="{node.kind}" cx="{x + 27:.0f}" cy="{y + HEIGHT / 2:.0f}" r="15"/>'
    yield f'<text class="badge" x="{x + 27:.0f}" y="{y + HEIGHT / 2 + 5:.0f}">{escape(badge)}</text>'
    lines = [line for line in node.lines if line]
    first = y + HEIGHT / 2 + 4.5 - 8 * len(lines)
    yield f'<text class="name" x="{x + 52:.0f}" y="{first:.0f}">{escape(_fit(node.name, 13, room))}</text>'
    for number, line in enumerate(lines, start=1):
        place = first + 15.5 * number
        yield f'<text class="line" x="{x + 52:.0f}" y="{place:.0f}">{escape(_fit(line, 11, room))}</text>'
    yield "</g>"


def _wide(text: str, size: int) -> float:
    return len(text) * _PER_CHARACTER[size]


def _fit(text: str, size: int, room: float) -> str:
    """The text, with an ellipsis in its middle where it is too long."""
    longest = int(room / _PER_CHARACTER[size])
    clean = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    if len(clean) <= longest:
        return clean
    head = longest * 3 // 5
    return f"{clean[:head]}…{clean[len(clean) - (longest - head - 1) :]}"
