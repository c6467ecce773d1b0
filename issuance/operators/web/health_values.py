"""Values of the health page beside their limits, and the page where each kind of finding is looked into."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from issuance.operators.queries import pki_health_words as health_words
from issuance.records.web.values import number
from pki.health import LIMITS, OF_MANY, DayView, Limit, SeenFinding
from siths_portal.lib import clock
from siths_portal.lib.pages.charts import Chart, Point, bar_chart, curve
from siths_portal.lib.pages.dates import in_words

_FEWEST = 2
"""The hours that make a curve: one would be a dot."""
_CA = re.compile(r"(?P<slug>[\w-]+):(?P<generation>\d+)")
_OF_A_CA = ("ca", "hsm", "ocsp-signer")
_PAGES: Mapping[str, tuple[str, str, Any]] = {
    "token": ("pki_keys", "", gettext_lazy("Visa nycklarna")),
    "crl": ("pki_status", "#listor", gettext_lazy("Visa spärrlistorna")),
    "ocsp": ("pki_status", "#svar", gettext_lazy("Visa OCSP-svaren")),
    "ocsp-svar": ("pki_status", "#svar", gettext_lazy("Visa OCSP-svaren")),
    "ocsp-lager": ("pki_status", "#lager", gettext_lazy("Visa lagret")),
    "ocsp-process": ("pki_status", "#lager", gettext_lazy("Visa lagret")),
    "nyckelinventering": ("pki_health", "#inventering", gettext_lazy("Visa avvikelserna")),
    "händelsekedja": ("pki_health", "#loggen", gettext_lazy("Visa genomgångarna")),
    "klocka": ("pki_health", "#klockan", gettext_lazy("Visa klockan")),
}


def page_of(subject: str) -> tuple[str, str]:
    """Returns the URL of the page about a finding, or of the runbook's section, and the text of the link; empty without both."""
    kind, _space, name = subject.partition(" ")
    if kind in _OF_A_CA and (found := _CA.match(name)):
        return reverse("pki_authority", args=[found["slug"], int(found["generation"])]), _("Visa utfärdaren")
    if kind not in _PAGES:
        runbook = health_words.runbook_of(subject)
        return runbook, _("Visa instruktionen") if runbook else ""
    url_name, fragment, text = _PAGES[kind]
    return reverse(url_name) + fragment, str(text)


def severity_tag(severity: int) -> dict[str, str]:
    """Returns the kind and the text of the tag of a `Severity`."""
    return {"kind": health_words.SEVERITY_TAG[int(severity)], "text": _(health_words.SEVERITY[int(severity)])}


def rows(findings: Iterable[SeenFinding], authorities: Mapping[str, str], day: DayView) -> list[dict[str, Any]]:
    """Returns the measured values that have a limit, in the order of the checks, with their curves of the last day. Of CAs and of
    chains only the worst has a row. `authorities` has the names of CAs.
    """
    found: dict[str, SeenFinding] = {}
    for each in findings:
        kind = each.subject.partition(" ")[0]
        if not each.measure or kind not in LIMITS:
            continue
        key = kind if kind in OF_MANY else each.subject
        if key not in found or _worse(each, found[key], LIMITS[kind]):
            found[key] = each
    return [
        _row(each, LIMITS[each.subject.partition(" ")[0]], authorities) | {"curve": _curve(each, day)} for each in found.values()
    ]


def _curve(each: SeenFinding, day: DayView) -> dict[str, Any] | None:
    """Returns the arguments of components/curve.html; None for a value that was not measured in hours before this one."""
    values = day.worst.get(each.subject, ())
    known = [value for value in values if value is not None]
    if len(known) < _FEWEST:
        return None
    limit = LIMITS[each.subject.partition(" ")[0]]
    worst = _written(min(known) if limit.least else max(known), each.measure)
    text = _("Senaste dygnet minst {n}") if limit.least else _("Senaste dygnet högst {n}")
    return {"curve": curve(values, limit.value), "text": text.format(n=worst)}


def table_of_day(findings: Iterable[SeenFinding], day: DayView) -> dict[str, Any] | None:
    """Returns the curves as a table with a row for each hour, the newest first; None without a curve."""
    shown = [each for each in findings if each.subject in day.worst and each.measure]
    if not shown:
        return None
    heads = [health_words.title_of(each.subject, {}) for each in shown]
    hours = reversed(list(enumerate(day.hours)))
    cells = [
        {
            "hour": hour_text(hour),
            "cells": [
                {"head": head, "text": _cell(day.worst[each.subject][number], each.measure)}
                for head, each in zip(heads, shown, strict=True)
            ],
        }
        for number, hour in hours
    ]
    return {"heads": heads, "rows": cells}


def _cell(value: float | None, measure: str) -> str:
    return "–" if value is None else _written(value, measure)


def hour_text(hour: dt.datetime) -> str:
    """Returns the hour that begins then, such as "1 dec. kl. 09–10"."""
    local = timezone.localtime(hour, clock.STOCKHOLM)
    return _("{day} kl. {first}–{last}").format(
        day=in_words(local.date()), first=f"{local:%H}", last=f"{local + dt.timedelta(hours=1):%H}"
    )


def ocsp_chart(day: DayView) -> Chart | None:
    """Returns the chart of the OCSP responses by hour; None if none is known."""
    if not any(day.ocsp_answers):
        return None
    points = [
        Point(f"{timezone.localtime(hour, clock.STOCKHOLM):%H}", hour_text(hour), count or 0, _cell(count, "count"))
        for hour, count in zip(day.hours, day.ocsp_answers, strict=True)
    ]
    return bar_chart(points, narrow=6)


def _worse(each: SeenFinding, other: SeenFinding, limit: Limit) -> bool:
    return each.value < other.value if limit.least else each.value > other.value


def _row(each: SeenFinding, limit: Limit, authorities: Mapping[str, str]) -> dict[str, Any]:
    """Returns a row of the table of values."""
    return {
        "title": health_words.title_of(each.subject, authorities),
        "tag": severity_tag(each.severity),
        "value": _written(abs(each.value), each.measure),
        "limit": (_("minst {n}") if limit.least else _("högst {n}")).format(n=_written(limit.value, each.measure)),
        "since": _since(each.since),
    }


def _since(moment: dt.datetime) -> str:
    """Returns the day, or the time if it is today."""
    local = timezone.localtime(moment, clock.STOCKHOLM)
    return f"kl. {local:%H:%M}" if local.date() == clock.today() else in_words(local.date())


def _written(value: float, measure: str) -> str:
    count = round(value)
    if measure == "seconds" and count >= 120:
        return ngettext("{n} minut", "{n} minuter", count // 60).format(n=number(count // 60))
    if measure == "milliseconds" and count >= 1000:
        return _("{n} s").format(n=number_format(value / 1000, decimal_pos=1).removesuffix(",0"))
    if measure == "milliseconds":
        return _("{n} ms").format(n=number(count))
    if measure == "seconds":
        return _("{n} s").format(n=number(count))
    return ngettext("{n} dag", "{n} dagar", count).format(n=number(count)) if measure == "days" else number(count)
