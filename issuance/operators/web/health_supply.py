"""What the health page shows of card suppliers and of the reserve stock: what is wrong, figures, orders that failed, and the rate
of ordered and sent cards. It names no person, and no office.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Actor, policy
from issuance.operators.queries.pki_words import ago, minute, span
from issuance.operators.web.health_values import severity_tag
from issuance.records.domain import wording
from issuance.records.web.values import number
from issuance.stock.queries.shortage import Shortage, shortage
from issuance.suppliers.push.queries import failed_orders, overview, supplier_words
from issuance.suppliers.push.queries.overview import SupplierLine, Trouble
from issuance.suppliers.push.queries.rates import Rates, rates
from pki.health import Severity
from siths_portal.lib import clock
from siths_portal.lib.pages.charts import Point, paired_chart
from siths_portal.lib.pages.dates import in_words

_BEHIND = {Trouble.SILENT, Trouble.LATE}
"""Troubles of a supplier whose own rate the page draws."""


@dataclass(frozen=True)
class Supplier:
    """An active supplier at `now`, with its troubles, the gravest first, and the rates of all suppliers."""

    line: SupplierLine
    troubles: tuple[Trouble, ...]
    rates: Rates
    now: dt.datetime

    @property
    def severity(self) -> Severity:
        """That of its gravest trouble."""
        if not self.troubles:
            return Severity.OK
        return Severity.ERROR if self.troubles[0] in supplier_words.GRAVE else Severity.WARNING


def suppliers(actor: Actor, now: dt.datetime) -> list[Supplier]:
    """Returns the active suppliers, the most troubled first. Returns none for an actor who does not operate suppliers."""
    if not policy.holds(actor, overview.ACTION):
        return []
    counted = rates()
    found = [Supplier(each, tuple(each.troubles(now)), counted, now) for each in overview.visible(actor, now) if each.active]
    return sorted(found, key=lambda each: -each.severity)


def headline(actor: Actor, now: dt.datetime) -> list[str]:
    """Returns a sentence about suppliers with a grave trouble, and one about offices without a reserve card. Warnings are on the
    health page alone.
    """
    found = []
    lines = overview.visible(actor, now) if policy.holds(actor, overview.ACTION) else []
    if wrong := sum(not supplier_words.GRAVE.isdisjoint(each.troubles(now)) for each in lines):
        found.append(ngettext("{n} kortleverantör har fel.", "{n} kortleverantörer har fel.", wrong).format(n=number(wrong)))
    if empty := shortage().empty:
        text = ngettext("{n} kontor saknar reservkort.", "{n} kontor saknar reservkort.", empty)
        found.append(text.format(n=number(empty)))
    return found


def supplier_troubles(found: Sequence[Supplier]) -> list[dict[str, Any]]:
    """Returns a problem of the health page for each supplier that has troubles."""
    return [_trouble(each) for each in found if each.troubles]


def _trouble(each: Supplier) -> dict[str, Any]:
    line, gravest = each.line, each.troubles[0]
    fault, *others = [wording.label(supplier_words.TROUBLES, trouble) for trouble in each.troubles]
    told = [_behind(line), *others]
    if Trouble.LATE in each.troubles and line.oldest_queued_at:
        told.append(_("Den äldsta beställningen har väntat i {span}").format(span=span(each.now - line.oldest_queued_at)))
    since = {
        Trouble.SILENT: each.now - line.silent_for,
        Trouble.LATE: line.oldest_queued_at,
        Trouble.PAUSED: line.paused_at,
    }
    return {
        "title": f"{line.name}: {fault[:1].lower()}{fault[1:]}",
        "remedy": wording.label(supplier_words.REMEDIES, gravest),
        "severity": int(each.severity),
        "tag": severity_tag(each.severity),
        "text": ". ".join(told),
        "since": minute(since.get(gravest)),
        "page": reverse("supplier", args=[line.client_ref]),
        "page_text": _("Visa leverantören"),
    }


def _behind(line: SupplierLine) -> str:
    """Returns in a sentence how many orders lie behind a supplier's fault: those that it has not accepted, and not finished."""
    if not line.queued + line.working:
        return _("Ingen beställning väntar på leverantören")
    text = ngettext(
        "{n} beställning är inte klar, varav {queued} i kö",
        "{n} beställningar är inte klara, varav {queued} i kö",
        line.queued + line.working,
    )
    return text.format(n=number(line.queued + line.working), queued=number(line.queued))


def stock_troubles(found: Shortage) -> list[dict[str, Any]]:
    """Returns a problem of the health page if offices lack reserve cards."""
    told = []
    if found.empty:
        text = ngettext("{n} kontor saknar reservkort att lämna ut", "{n} kontor saknar reservkort att lämna ut", found.empty)
        told.append(text.format(n=number(found.empty)))
    if found.short:
        text = ngettext(
            "{n} kontor har färre reservkort än sin gräns, också med dem som är på väg",
            "{n} kontor har färre reservkort än sin gräns, också med dem som är på väg",
            found.short,
        )
        told.append(text.format(n=number(found.short)))
    if not told:
        return []
    return [
        {
            "title": _("Reservkort på kontoren"),
            "remedy": _("Kontoren ser det på Dagen. Be områdenas ansvariga utgivare beställa en bunt eller sänka gränsen."),
            "severity": int(Severity.WARNING),
            "tag": severity_tag(Severity.WARNING),
            "text": ". ".join(told),
            "since": "",
            "page": "",
            "page_text": "",
        }
    ]


def stock_figures(found: Shortage) -> list[dict[str, str]]:
    """Returns the figures of the reserve stock; none if no office has a level."""
    if not found.offices:
        return []
    return [
        {"name": _("kontor utan reservkort"), "value": number(found.empty)},
        {"name": _("kontor under gränsen"), "value": number(found.short)},
        {"name": _("kontor med gräns"), "value": number(found.offices)},
    ]


def panel(each: Supplier) -> dict[str, Any]:
    """Returns a supplier with its tag, its figures, when it was heard, and when its certificate ends."""
    line, day = each.line, each.rates.days[-1]
    sent = _("skickade i dag") if day == clock.today() else _("skickade {day}").format(day=in_words(day))
    return {
        "line": line,
        "tag": supplier_words.tag(line, each.troubles),
        "figures": [
            {"name": _("i kö"), "value": number(line.queued)},
            {"name": _("pågår"), "value": number(line.working)},
            {"name": sent, "value": number(each.rates.sent_by(line.client_ref)[-1])},
            {"name": _("fel"), "value": number(line.failed)},
        ],
        "heard": ago(each.now - line.heard_at) if line.heard_at else "",
        "ends": supplier_words.certificate_end(line),
    }


def failures(actor: Actor, found: Sequence[Supplier]) -> dict[str, Any] | None:
    """Returns the orders that failed as rows of components/rows.html, and whether there are more. None if there is none, or for
    an actor who does not operate suppliers.
    """
    if not policy.holds(actor, overview.ACTION) or not (orders := failed_orders.failed_orders(actor)):
        return None
    names = {each.line.client_ref: each.line.name for each in found}
    rows = [
        {
            "title": str(order.id),
            "text": _("{supplier}: {reason}. Beställd {day}.").format(
                supplier=names.get(order.supplier_ref, order.supplier_ref),
                reason=order.reason or _("ingen orsak"),
                day=in_words(order.ordered_on),
            ),
            "url": reverse("supplier", args=[order.supplier_ref]),
        }
        for order in orders[: failed_orders.MOST]
    ]
    return {"rows": rows, "more": len(orders) > failed_orders.MOST}


def rate(found: Sequence[Supplier]) -> dict[str, Any] | None:
    """Returns the chart of ordered and sent cards by working day: of the first supplier that is silent or late, else of all. None
    if there are no such cards.
    """
    if not found:
        return None
    counted = found[0].rates
    if not any(counted.ordered_from_all() + counted.sent_by_all()):
        return None
    behind = next((each.line for each in found if _BEHIND.intersection(each.troubles)), None)
    if behind:
        ordered, sent = counted.ordered_from(behind.client_ref), counted.sent_by(behind.client_ref)
        title = _("{name}: beställda och skickade kort per arbetsdag").format(name=behind.name)
    else:
        ordered, sent = counted.ordered_from_all(), counted.sent_by_all()
        title = _("Beställda och skickade kort per arbetsdag")
    points = [
        Point(f"{day.day}/{day.month}", in_words(day), left, number(left), came, number(came))
        for day, came, left in zip(counted.days, ordered, sent, strict=True)
    ]
    return {"chart": paired_chart(points), "title": title}
