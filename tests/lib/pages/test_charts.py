"""A chart is drawn for a wide page and for a phone, and its values stand in a table too."""

import re

from django.template.loader import render_to_string

from siths_portal.lib.pages.charts import COLUMN, HALF, PAGE, Point, Share, bar_chart, curve, paired_chart, shares

POINTS = [Point(name[:3], name, value, f"{value},00") for value, name in enumerate(("januari", "februari", "mars", "april"), 1)]


def test_both_drawings_and_the_table_say_the_same() -> None:
    chart = bar_chart(POINTS, narrow=3)
    html = render_to_string("components/chart.html", {"chart": chart, "title": "Per månad", "title_id": "x"})
    wide, narrow = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert (wide.count("<rect"), narrow.count("<rect")) == (4, 3)
    assert "<title>Per månad</title>" in wide
    assert "style=" not in html
    for point in POINTS:
        assert re.search(rf'<th scope="row">{point.name}</th><td class="amount">{point.text}</td>', html)
    assert wide.count("4,00") == 1, "the newest has its value"


def test_a_chart_has_a_scale_of_whole_numbers() -> None:
    def texts(*values: float) -> list[str]:
        return [tick.text for tick in bar_chart([Point("a", "a", value, "") for value in values]).wide.ticks]

    assert texts(0) == ["0", "1"]
    assert texts(3, 179) == ["0", "50", "100", "150", "200"]
    assert texts(4_200) == ["0", "2\u00a0000", "4\u00a0000", "6\u00a0000"]
    assert texts(3_900_000) == ["0", "1 mn", "2 mn", "3 mn", "4 mn"]
    wide = bar_chart(POINTS).wide
    assert (wide.ticks[0].y, wide.ticks[-1].y) == (wide.base, wide.bars[-1].y)


def test_a_phone_shows_a_quarter_of_weeks_and_names_each_other() -> None:
    weeks = [Point(f"v. {number}", f"vecka {number}", number % 12, "") for number in range(1, 14)]
    narrow = bar_chart(weeks, to_come=True).narrow
    assert [bar.point.name for bar in narrow.bars] == [week.name for week in weeks]
    assert [bar.named for bar in narrow.bars] == [number % 2 == 0 for number in range(13)]
    assert narrow.width < 350
    assert max(bar.height for bar in narrow.bars) > 80


def test_a_wide_drawing_fills_its_room_however_many_bars_it_has() -> None:
    for room in (PAGE, COLUMN, HALF):
        for number in (1, 4, 12, 24):
            chart = bar_chart([Point("a", "a", 1, "1")] * number, room=room).wide
            assert chart.width == chart.left + room
        assert chart.width - chart.bars[-1].x - chart.bars[-1].width < chart.bars[1].x - chart.bars[0].x, "24 bars reach its end"


def test_of_times_to_come_the_next_is_marked_and_a_phone_shows_the_first() -> None:
    chart = bar_chart(POINTS, narrow=3, to_come=True)
    assert [bar.marked for bar in chart.wide.bars] == [True, False, False, False]
    assert [bar.point.name for bar in chart.narrow.bars if bar.marked] == ["januari"]
    assert [bar.point.name for bar in chart.narrow.bars] == ["januari", "februari", "mars"]


def test_the_highest_bar_fills_the_height_and_nothing_is_divided_by_zero() -> None:
    (low, *_rest, high) = bar_chart(POINTS).wide.bars
    assert round(high.height / 4) == low.height
    assert high.y + high.height == low.y + low.height == bar_chart(POINTS).wide.base
    assert [bar.height for bar in bar_chart([Point("a", "a", 0, "0")]).wide.bars] == [0]
    assert bar_chart([]).wide.bars == ()


def test_shares_fill_the_bar_and_what_is_none_has_no_part() -> None:
    parts = shares([Share("a", "3", 3, "share-1"), Share("b", "0", 0, "share-2"), Share("c", "1", 1, "share-pale")])
    assert [(part.name, part.x, part.width) for part in parts] == [("a", "0.0", "747.8"), ("c", "750.8", "249.2")]
    html = render_to_string("components/shares.html", {"parts": parts, "label": "a och c"})
    assert (html.count("<li>"), html.count("<rect"), 'aria-label="a och c"' in html) == (2, 4, True)
    assert shares([Share("a", "0", 0, "share-1")]) == ()


def test_a_paired_chart_has_a_legend_and_both_values_in_its_table() -> None:
    chart = paired_chart([Point("1/12", "1 december", 5, "5", 10, "10"), Point("2/12", "2 december", 0, "0", 4, "4")])
    (ordered, _), (sent, _) = chart.wide.beside, chart.wide.bars
    assert ordered.height == 2 * sent.height > 0, "one scale"
    assert ordered.x + ordered.width == sent.x
    context = {"chart": chart, "title": "Per dag", "title_id": "x", "value_heading": "Skickade", "beside_heading": "Beställda"}
    html = render_to_string("components/chart.html", context)
    assert html.index("Beställda") < html.index("Skickade")
    assert '<td class="amount">10</td><td class="amount">5</td>' in html


def test_a_curve_is_parted_where_a_value_is_missing_and_drawn_against_its_limit() -> None:
    drawn = curve([0, 10, None, 5, None], limit=20)
    assert drawn.lines == ("0.0,26.0 30.0,14.0", "90.0,20.0 90.0,20.0")
    assert drawn.limit_y == 2
    assert curve([40], limit=20).limit_y == 14
    assert curve([None], limit=0).lines == ()
    html = render_to_string("components/curve.html", {"curve": drawn, "text": "högst 10 s"})
    assert html.count("<polyline") == 2
    assert "högst 10 s" in html
