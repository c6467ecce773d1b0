"""The parts of a month's page: its sentence, its track, figures, changes, shares, and the panel with the person's next step."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.records.domain import money
from billing.records.domain.periods import Month
from billing.runs.models import ItemState, RunState
from billing.runs.queries.month import CustomerRow, Progress, RunView
from siths_portal.lib import clock
from siths_portal.lib.clock import STOCKHOLM
from siths_portal.lib.pages import charts
from siths_portal.lib.pages.charts import COLUMN, Chart, Point, Share, bar_chart
from siths_portal.lib.pages.dates import in_words

BLOCKED_SHOWN = 6
_CHANGES_SHOWN = 4
_MINUS, _PLUS = "\N{MINUS SIGN}", "+"
_MILLION = 1_000_000
_ONE_WORK = dt.timedelta(hours=1)
"""Drafts that are newer than this after the opening were made again."""
_NAMED = 3
_COLOURS = ("share-pale", "share-2", "share-3", "share-4")
"""The colours of the parts of the bar; the largest part is dark."""


def lead(view: RunView) -> str:
    """Returns the sentence that says how the month stands."""
    progress, blocked = view.progress, len(view.blocked)
    if progress.state == RunState.OPEN:
        return _("Utkasten görs. Sidan visar hur långt det har kommit.")
    if progress.state == RunState.ISSUED:
        text = ngettext("{n} faktura är utfärdad.", "{n} fakturor är utfärdade.", progress.issued).format(
            n=money.count(progress.issued)
        )
    elif view.reviewed.invoices == 0:
        text = _("Ingen faktura är klar att godkänna.")
    else:
        text = _reviewed(view, view.reviewed.invoices)
    stopped = ngettext("{n} kund är stoppad.", "{n} kunder är stoppade.", blocked).format(n=money.count(blocked))
    return f"{text} {stopped}" if blocked else f"{text} {_('Ingen kund är stoppad.')}"


def _reviewed(view: RunView, ready: int) -> str:
    if view.progress.state == RunState.RELEASED:
        text = ngettext(
            "{ready} faktura är släppt och väntar på en andra person.",
            "{ready} fakturor är släppta och väntar på en andra person.",
            ready,
        )
    elif view.progress.state != RunState.APPROVED:
        text = ngettext(
            "{ready} av {customers} faktura är klar att godkänna.",
            "{ready} av {customers} fakturor är klara att godkänna.",
            ready + len(view.blocked),
        )
    elif view.progress.stop:
        text = ngettext(
            "{ready} faktura är godkänd men får inget nummer.", "{ready} fakturor är godkända men får inga nummer.", ready
        )
    else:
        text = ngettext(
            "{ready} faktura är godkänd och får sitt nummer.", "{ready} fakturor är godkända och får sina nummer.", ready
        )
    return text.format(ready=money.count(ready), customers=money.count(ready + len(view.blocked)))


def progress(found: Progress, month: Month) -> dict[str, Any]:
    """Returns what `billing/runs/progress.html` shows: the track, and the bar of the work that is under way."""
    order = [RunState.OPEN, RunState.REVIEW, RunState.RELEASED, RunState.APPROVED, RunState.ISSUED]
    at = order.index(found.state) + 1  # the first stage, the end of the month, is always done
    notes = [
        in_words(found.opened_at) or in_words(month.end.astimezone(STOCKHOLM).date()),
        _draft_note(found),
        _stopped_note(found),
        _approval_note(found),
        _("{n} nummer").format(n=money.count(found.issued)) if found.issued else _("går inte att ångra"),
        _sent_note(found),
    ]
    names = [_("Perioden stängd"), _("Utkast"), _("Granska"), _("Godkänn"), _("Numrera och frys"), _("Skicka")]
    stages = []
    for number, (name, note) in enumerate(zip(names, notes, strict=True)):
        state = "done" if number < at else "later" if number > at else "stop" if found.stop else "now"
        if number == len(names) - 1 and found.state == RunState.ISSUED:
            state = "stop" if found.refused else "now" if found.delivered < found.issued else "done"
        stages.append({"text": name, "note": note, "state": state})
    return {
        "stages": stages,
        "follows": found.works,
        "mark": found.mark,
        "stop": found.stop,
        "today": clock.today(),
        **_bar(found),
    }


def _stopped_note(found: Progress) -> str:
    if found.blocked:
        return ngettext("{n} stoppad", "{n} stoppade", found.blocked).format(n=money.count(found.blocked))
    return _("efter utkasten") if found.state == RunState.OPEN else _("inga stoppade")


def _approval_note(found: Progress) -> str:
    if found.state == RunState.RELEASED:
        return _("en av två")
    return _("med billing_run") if found.by_command else _("två personer")


def _sent_note(found: Progress) -> str:
    if not found.issued:
        return _("e-faktura och PDF")
    if found.rendered < found.issued:
        return _("{done} av {total} filer").format(done=money.count(found.rendered), total=money.count(found.issued))
    delivered = _("{done} av {total} levererade").format(done=money.count(found.delivered), total=money.count(found.issued))
    if not found.refused:
        return delivered
    refused = ngettext("{n} nekad", "{n} nekade", found.refused).format(n=money.count(found.refused))
    return f"{delivered}, {refused}"


def _draft_note(found: Progress) -> str:
    if found.state == RunState.OPEN:
        return _("{done} av {total}").format(done=money.count(found.settled), total=money.count(found.customers))
    customers = ngettext("{n} kund", "{n} kunder", found.customers).format(n=money.count(found.customers))
    if not found.drafted_at or not found.opened_at:
        return customers
    took = found.drafted_at - found.opened_at
    if took > _ONE_WORK:
        return _("{customers}, {day}").format(customers=customers, day=in_words(found.drafted_at))
    minutes, seconds = divmod(max(1, int(took.total_seconds())), 60)
    text = _("{customers} på {minutes} min {seconds} s") if minutes else _("{customers} på {seconds} s")
    return text.format(customers=customers, minutes=minutes, seconds=seconds)


def _bar(found: Progress) -> dict[str, Any]:
    if not found.works or found.stop:
        return {}
    if found.state == RunState.OPEN:
        if not found.customers:
            return {"working": _("Abonnemangen räknas och kunderna läggs till.")}
        done, total = found.settled, found.customers
        text = _("{done} av {total} kunder har fått ett utkast eller en orsak till stopp")
    elif found.state == RunState.APPROVED and not found.issued:
        return {"working": _("Fakturorna får sina nummer.")}
    else:
        done, total = found.rendered, found.issued
        text = _("{done} av {total} fakturor har fått e-faktura och PDF")
    label = text.format(done=money.count(done), total=money.count(total))
    return {"progress_label": label, "percent": 100 * done // total if total else 0}


def month_figures(view: RunView) -> list[dict[str, str]]:
    """Returns the figures of the month: its sum, the change, how many invoices are ready, how many differences there are."""
    before = view.month.previous()
    name = str(before).split()[0]
    found = [
        {
            "value": money.swedish(view.net.quantize(Decimal(1)), decimals=0),
            "name": _("kronor exkl. moms"),
            "before": _("{month}: {amount}").format(
                month=name, amount=money.swedish(view.before.quantize(Decimal(1)), decimals=0)
            ),
        }
    ]
    if view.before:
        percent = (view.net - view.before) * 100 / view.before
        text = _("mer än i {month}") if percent >= 0 else _("mindre än i {month}")
        value = money.swedish(abs(percent).quantize(Decimal("0.1")), decimals=1)
        found.append({"value": value, "unit": "%", "name": text.format(month=name)})
    ready = view.reviewed.invoices + view.progress.issued
    total = money.count(ready + len(view.blocked))
    found.append({"value": money.count(ready), "unit": _("av {total}").format(total=total), "name": _("fakturor klara")})
    if view.differences is None:
        found.append({"value": "–", "name": _("differenser, som räknas nu")})
    else:
        wrong = sum(not each.ok for each in view.differences)
        unit = _("av {total}").format(total=len(view.differences))
        found.append({"value": str(wrong), "unit": unit, "name": _("differenser")})
    return found


def changes(view: RunView) -> list[dict[str, Any]]:
    """Returns the customers with the largest changes."""
    return [
        {
            "url": reverse("invoice_draft", args=[view.month, row.party_id]),
            "name": row.name,
            "text": _("Stoppad") if row.state == ItemState.BLOCKED else row.change_words,
            "change": _signed(row),
            "is_outlier": row.is_outlier,
        }
        for row in view.changes[:_CHANGES_SHOWN]
    ]


def _signed(row: CustomerRow) -> str:
    sign = _PLUS if row.change > 0 else _MINUS
    return f"{sign}{money.NO_BREAK_SPACE}{money.swedish(abs(row.change).quantize(Decimal(1)), decimals=0)}"


def shares(view: RunView) -> dict[str, Any] | None:
    """Returns the bar of the month's sum by kind of line, with its heading and legend; None without any lines."""
    found = [(name, net) for name, net in view.shares if net > 0]
    total = sum((net for _name, net in found), Decimal(0))
    if not total:
        return None
    largest = max(found, key=lambda share: share[1])[0]
    colours = iter(_COLOURS * 2)
    parts = [
        Share(
            name,
            money.swedish(net.quantize(Decimal(1)), decimals=0),
            float(net),
            "share-1" if name == largest else next(colours),
        )
        for name, net in found
    ]
    told = ", ".join(
        _("{name} {percent} procent").format(name=name.lower(), percent=round(net * 100 / total)) for name, net in found
    )
    heading = _("Det mesta är {name}").format(name=largest.lower())
    return {"parts": charts.shares(parts), "label": _("Fördelning: {told}").format(told=told), "heading": heading}


def chart(view: RunView) -> Chart | None:
    """Returns the chart of the sums by month, in millions of kronor from the second million; None for a single month."""
    if len(view.months) < 2:
        return None
    in_millions = max(net for _month, net in view.months) >= 2 * _MILLION
    points = []
    for month, net in reversed(view.months):
        shown = net / _MILLION if in_millions else net
        text = money.swedish(shown.quantize(Decimal("0.01") if in_millions else Decimal(1)), decimals=2 if in_millions else 0)
        points.append(Point(str(month)[:3], str(month).capitalize(), max(float(net), 0.0), text))
    return bar_chart(points, room=COLUMN)


def others(names: Sequence[str]) -> str:
    """Returns who may be the second person: "Edvin Norberg eller Klara Wallin". Names at most three."""
    if len(names) > _NAMED:
        names = [*names[:_NAMED], _("{n} till").format(n=len(names) - _NAMED)]
    *first, last = names or [""]
    return _("{first} eller {last}").format(first=", ".join(first), last=last) if first else last


def panel(view: RunView, own_ref: str) -> dict[str, Any]:
    """Returns the panel with the next step: `step` is what this person may do now, or "" if it is not this person's turn."""
    state, reviewed, approval = view.progress.state, view.reviewed, view.approval
    found: dict[str, Any] = {
        "step": "",
        "others": others(view.colleagues),
        "count": reviewed.invoices,
        "net": money.swedish(reviewed.net),
        "sha256": reviewed.sha256,
    }
    if state == RunState.REVIEW and reviewed.invoices:
        return found | {"step": "slapp", "heading": _("Två personer godkänner")}
    if state == RunState.RELEASED and approval:
        at = date_format(approval.released_at.astimezone(STOCKHOLM), "Y-m-d H:i")
        if approval.released_by == own_ref:
            return found | {"kind": "own", "heading": _("En annan person godkänner"), "at": at}
        if view.second_refusal:
            return found | {"kind": "refused", "heading": _("En annan person godkänner"), "reason": view.second_refusal}
        return found | {"step": "godkann", "heading": _("Godkänn fakturorna"), "at": at}
    if state == RunState.ISSUED:
        return found | {"kind": "issued", "heading": _("Fakturorna är utfärdade"), "count": view.progress.issued}
    return {}
