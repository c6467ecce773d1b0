"""The bar of a list: how soon its rows are due."""

from typing import Any

from django.utils.translation import gettext as _

from issuance.register_care.queries.work import MONTH, WEEK, WorkFigures

_WIDTH, _GAP = 1000.0, 3.0


def parts_of(figures: WorkFigures) -> dict[str, Any] | None:
    """Returns the parts of the bar with their texts, and a text for screen readers; None without rows."""
    if not figures.total:
        return None
    week, month = figures.week, figures.month - figures.week
    named = (
        ("share-2", week, _("{n} inom {days} dagar").format(n=week, days=WEEK)),
        ("share-1", month, _("{n} inom {days} dagar").format(n=month, days=MONTH)),
        ("share-pale", figures.total - figures.month, _("{n} senare").format(n=figures.total - figures.month)),
    )
    there = [each for each in named if each[1]]
    room, x, parts = _WIDTH - _GAP * (len(there) - 1), 0.0, []
    for colour, count, text in there:
        width = room * count / figures.total
        parts.append({"colour": colour, "text": text, "x": f"{x:.1f}", "width": f"{width:.1f}"})
        x += width + _GAP
    return {"parts": parts, "label": ", ".join(part["text"] for part in parts)}
