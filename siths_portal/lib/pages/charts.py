"""Charts, drawn as SVG on the server by `components/chart.html`, which also has their table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

_HEIGHT = 170
_BASE = _HEIGHT - 24
"""The axis. Below it are the names of the bars."""
_TOP = 24
_WIDE, _HALF, _NARROW = 88, 44, 60
"""The distance from bar to bar."""


class Point(NamedTuple):
    """One value of a chart: the short name below its bar, the full name and the value as text."""

    short: str
    name: str
    value: float
    text: str


@dataclass(frozen=True)
class Bar:
    """A drawn bar. `x` is its left edge, `middle` its centre, `y` its top."""

    point: Point
    x: int
    middle: int
    y: int
    width: int
    height: int
    newest: bool


@dataclass(frozen=True)
class Drawing:
    """One drawing of a chart, in its own units."""

    width: int
    height: int
    base: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Chart:
    """A bar chart: the drawing for a wide page, one with fewer bars for a phone, and all points for the table."""

    points: tuple[Point, ...]
    wide: Drawing
    narrow: Drawing


def bar_chart(points: Sequence[Point], *, narrow: int = 5, half: bool = False) -> Chart:
    """Returns the chart of `points`, the newest last. A phone shows the last `narrow` of them. Values are not negative.

    `half` draws the bars closer, for one of two charts beside each other.
    """
    return Chart(tuple(points), _drawing(points, _HALF if half else _WIDE), _drawing(points[-narrow:], _NARROW))


def _drawing(points: Sequence[Point], step: int) -> Drawing:
    most = max((point.value for point in points), default=0) or 1
    bars = []
    for number, point in enumerate(points):
        height = round(point.value / most * (_BASE - _TOP))
        left = number * step + 10
        newest = number == len(points) - 1
        bars.append(Bar(point, left, left + step // 2 - 10, _BASE - height, step - 20, height, newest))
    return Drawing(max(len(points), 1) * step, _HEIGHT, _BASE, tuple(bars))
