"""Charts, drawn as SVG on the server: bars with their table by `components/chart.html`, shares by `components/shares.html`, small
curves by `components/curve.html`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

_HEIGHT = 170
_BASE = _HEIGHT - 24
"""The axis. Below it are the names of the bars."""
_TOP = 24
_WIDE, _HALF, _NARROW = 88, 44, 60
"""The distance from bar to bar."""


class Point(NamedTuple):
    """One value of a chart: the short name below its bar, the full name and the value as text. `beside` is a second value that it
    is compared with, drawn pale on its left.
    """

    short: str
    name: str
    value: float
    text: str
    beside: float = 0
    beside_text: str = ""


@dataclass(frozen=True)
class Bar:
    """A drawn bar. `x` is its left edge, `middle` its centre, `y` its top. A `marked` bar is dark and has its value above it."""

    point: Point
    x: int
    middle: int
    y: int
    width: int
    height: int
    marked: bool


@dataclass(frozen=True)
class Drawing:
    """One drawing of a chart, in its own units."""

    width: int
    height: int
    base: int
    bars: tuple[Bar, ...]
    beside: tuple[Bar, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A bar chart: the drawing for a wide page, one with fewer bars for a phone, and all points for the table.

    A `paired` chart has two bars for each point, and needs a legend.
    """

    points: tuple[Point, ...]
    wide: Drawing
    narrow: Drawing
    paired: bool = False


def bar_chart(points: Sequence[Point], *, narrow: int = 5, half: bool = False, to_come: bool = False) -> Chart:
    """Returns the chart of `points`, the newest last and marked. A phone shows the last `narrow`. Values are not negative.

    `half` draws the bars closer, for one of two charts beside each other or for many bars. `to_come` means that the points are
    times to come, the next one first: that one is marked, and a phone shows the first ones.
    """
    few = points[:narrow] if to_come else points[-narrow:]
    return Chart(tuple(points), _drawing(points, _HALF if half else _WIDE, to_come), _drawing(few, _NARROW, to_come))


def paired_chart(points: Sequence[Point], *, narrow: int = 5) -> Chart:
    """Returns the chart of `points` with two bars each, the newest last. A phone shows the last `narrow`."""
    return Chart(tuple(points), _paired(points, _WIDE), _paired(points[-narrow:], _NARROW), paired=True)


def _drawing(points: Sequence[Point], step: int, to_come: bool) -> Drawing:
    most = max((point.value for point in points), default=0) or 1
    bars = []
    for number, point in enumerate(points):
        marked = number == (0 if to_come else len(points) - 1)
        bars.append(_bar(point, point.value / most, number * step + 10, step - 20, marked=marked))
    return Drawing(max(len(points), 1) * step, _HEIGHT, _BASE, tuple(bars))


def _paired(points: Sequence[Point], step: int) -> Drawing:
    most = max((max(point.value, point.beside) for point in points), default=0) or 1
    width = (step - 20) // 2
    lefts = [number * step + 10 for number in range(len(points))]
    pale = [_bar(point, point.beside / most, left, width) for point, left in zip(points, lefts, strict=True)]
    dark = [
        _bar(point, point.value / most, left + width, width, marked=point is points[-1])
        for point, left in zip(points, lefts, strict=True)
    ]
    return Drawing(max(len(points), 1) * step, _HEIGHT, _BASE, tuple(dark), tuple(pale))


def _bar(point: Point, share: float, left: int, width: int, *, marked: bool = False) -> Bar:
    height = round(share * (_BASE - _TOP))
    return Bar(point, left, left + width // 2, _BASE - height, width, height, marked)


_CURVE_WIDTH, _CURVE_HEIGHT, _CURVE_EDGE = 120, 28, 2


@dataclass(frozen=True)
class Curve:
    """A small curve without axes. `lines` are the points of its lines, which missing values part; `limit_y` is the limit's place.
    The text beside it says what it shows.
    """

    width: int
    height: int
    lines: tuple[str, ...]
    limit_y: float


def curve(values: Sequence[float | None], limit: float) -> Curve:
    """Returns the curve of values from zero up, the newest last, on a scale to the limit or to the largest value."""
    top = max([limit, *(value for value in values if value is not None)]) or 1
    step = _CURVE_WIDTH / max(len(values) - 1, 1)
    lines: list[list[str]] = [[]]
    for number, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{number * step:.1f},{_curve_y(value / top):.1f}")
    # A value between two that are missing is a dot.
    return Curve(
        _CURVE_WIDTH,
        _CURVE_HEIGHT,
        tuple(" ".join(line if len(line) > 1 else line * 2) for line in lines if line),
        _curve_y(limit / top),
    )


def _curve_y(share: float) -> float:
    return _CURVE_HEIGHT - _CURVE_EDGE - share * (_CURVE_HEIGHT - 2 * _CURVE_EDGE)


@dataclass(frozen=True)
class Share:
    """A part of a whole: its name, its number as text, its weight, and its colour (`share-1` and so on of components.css).

    `x` and `width` place it on a bar of 1000 units.
    """

    name: str
    text: str
    weight: float
    colour: str
    x: str = ""
    width: str = ""


_WHOLE, _GAP = 1000, 3


def shares(parts: Sequence[Share]) -> tuple[Share, ...]:
    """Returns the parts that have a weight, in their order, each with its place on the bar."""
    found = [part for part in parts if part.weight > 0]
    whole, room = sum(part.weight for part in found), _WHOLE - _GAP * (len(found) - 1)
    placed, x = [], 0.0
    for part in found:
        width = part.weight / whole * room
        placed.append(replace(part, x=f"{x:.1f}", width=f"{width:.1f}"))
        x += width + _GAP
    return tuple(placed)
