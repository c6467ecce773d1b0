"""Charts, drawn as SVG on the server: bars with their table by `components/chart.html`, shares by `components/shares.html`, small
curves by `components/curve.html`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log10
from typing import NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _

_HEIGHT = 170
_BASE = _HEIGHT - 24
"""The axis. Below it are the names of the bars."""
_TOP = 24
PAGE, COLUMN, HALF = 1000, 680, 480
"""The room that a wide drawing fills: the whole page, the wider column, one of two charts beside each other."""
_FARTHEST, _NARROW = 132, 60
"""The distance from bar to bar: the largest, and that on a phone."""
_GAP_BETWEEN, _GAP_FROM = 20, 44
"""The gap between bars, which is a third of the distance below _GAP_FROM."""
_PHONE = 300
"""The width on a phone, which bars share if they are too many for _NARROW."""
_NAME, _DIGIT = 36, 7.5
"""The width of a short name, and of a digit of the axis."""
_TICKS = 4


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
    """A drawn bar. `x` is its left edge, `middle` its centre, `y` its top. A `marked` bar is dark and has its value above it. One
    that is not `named` stands between others whose names take its room.
    """

    point: Point
    x: int
    middle: int
    y: int
    width: int
    height: int
    marked: bool
    named: bool = True


class Tick(NamedTuple):
    """A line of the scale at `y`, with its value as text around `x`."""

    x: int
    y: int
    text: str


@dataclass(frozen=True)
class Drawing:
    """One drawing of a chart, in its own units. The bars begin at `left`, after the values of the `ticks`."""

    width: int
    height: int
    base: int
    left: int
    ticks: tuple[Tick, ...]
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


def bar_chart(points: Sequence[Point], *, narrow: int = 14, room: int = PAGE, to_come: bool = False) -> Chart:
    """Returns the chart of `points`, the newest last and marked. A phone shows the last `narrow`. Values are not negative.

    `room` is what the wide drawing fills. `to_come` means that the points are times to come, the next one first: that one is
    marked, and a phone shows the first ones.
    """
    few = points[:narrow] if to_come else points[-narrow:]
    step = min(_NARROW, _PHONE // max(len(few), 1))
    return Chart(tuple(points), _drawing(points, _step(points, room), to_come, room), _drawing(few, step, to_come))


def paired_chart(points: Sequence[Point], *, narrow: int = 5) -> Chart:
    """Returns the chart of `points` with two bars each, the newest last. A phone shows the last `narrow`."""
    return Chart(tuple(points), _paired(points, _step(points, PAGE), PAGE), _paired(points[-narrow:], _NARROW), paired=True)


def _step(points: Sequence[Point], room: int) -> int:
    return min(_FARTHEST, room // max(len(points), 1))


def _drawing(points: Sequence[Point], step: int, to_come: bool, room: int = 0) -> Drawing:
    top, left, ticks = _scale([point.value for point in points])
    gap = _GAP_BETWEEN if step >= _GAP_FROM else step // 3
    every, here = ceil(_NAME / step), 0 if to_come else len(points) - 1
    bars = [
        replace(
            _bar(point, point.value / top, left + number * step + gap // 2, step - gap, marked=number == here),
            named=(number - here) % every == 0,
        )
        for number, point in enumerate(points)
    ]
    return Drawing(left + max(len(points) * step, room, step), _HEIGHT, _BASE, left, ticks, tuple(bars))


def _paired(points: Sequence[Point], step: int, room: int = 0) -> Drawing:
    top, left, ticks = _scale([value for point in points for value in (point.value, point.beside)])
    width = (step - _GAP_BETWEEN) // 2
    lefts = [left + number * step + _GAP_BETWEEN // 2 for number in range(len(points))]
    pale = [_bar(point, point.beside / top, x, width) for point, x in zip(points, lefts, strict=True)]
    dark = [
        _bar(point, point.value / top, x + width, width, marked=point is points[-1])
        for point, x in zip(points, lefts, strict=True)
    ]
    return Drawing(left + max(len(points) * step, room, step), _HEIGHT, _BASE, left, ticks, tuple(dark), tuple(pale))


def _scale(values: Sequence[float]) -> tuple[float, int, tuple[Tick, ...]]:
    """Returns the value at the top of the scale, the room that its texts take, and its lines: whole numbers of 1, 2 or 5."""
    least = max([*values, 1]) / _TICKS
    power = 10 ** floor(log10(least))
    step = max(1, next(power * each for each in (1, 2, 5, 10) if power * each >= least))
    top = step * ceil(max([*values, 1]) / step)
    marks = [(step * number, _tick_text(step * number)) for number in range(round(top / step) + 1)]
    left = round(max(len(text) for _mark, text in marks) * _DIGIT) + 10
    return top, left, tuple(
        Tick(left - 8 - round(len(text) * _DIGIT / 2), _BASE - round(mark / top * (_BASE - _TOP)), text) for mark, text in marks
    )  # fmt: skip


def _tick_text(value: float) -> str:
    if value < 1_000_000:
        return number_format(round(value), force_grouping=True)
    return _("{n} mn").format(n=number_format(value / 1_000_000, decimal_pos=1).removesuffix(",0"))


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
