"""The health page: the latest findings of the `pki` worker, the card suppliers and the reserve stock, and what to do. The web
process has no token.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from issuance.authz import Actor
from issuance.operators.queries import pki_health_words as health_words
from issuance.operators.queries import pki_words
from issuance.operators.queries.pki_words import minute, moment
from issuance.operators.web import health_supply, health_values
from issuance.operators.web.section import PKI
from issuance.records.domain import wording
from issuance.records.web.frame import actor_of, render_page
from issuance.records.web.values import row
from issuance.roles.services import role_holder_reading
from issuance.stock.queries.shortage import shortage
from pki import health as pki_health
from pki.health import (
    OCSP_STORE_GIVEN_UP,
    RESPONDER_RENEW_BEFORE,
    AuditCheckView,
    ClockReading,
    SeenFinding,
    Severity,
)
from pki.operators.authorities import authority_names
from pki.operators.keys import InventoryReport, latest_inventory
from siths_portal.lib import clock

LATE = dt.timedelta(minutes=15)
"""The worker checks every five minutes. A report older than this no longer describes the present state."""
VERIFY_SOON = dt.timedelta(days=2)
"""Chains are verified daily."""
_HOURS = int(OCSP_STORE_GIVEN_UP // 3600)


@require_safe
@PKI.requires()
def health(request: HttpRequest) -> HttpResponse:
    """Shows the health of the PKI, of the card suppliers and of the reserve stock: problems first, then all that was checked."""
    report = pki_health.latest_report()
    authorities = authority_names()
    findings = [_finding(each, authorities) for each in report.findings] if report else []
    checks = pki_health.audit_checks()
    known = {each["title"] for each in findings if each["severity"]}
    broken = [each for each in (_failed_chain(check) for check in checks if not check.ok) if each["title"] not in known]
    actor = actor_of(request)
    suppliers, stock = health_supply.suppliers(actor, clock.now()), shortage()
    others = [each for each in findings if each["severity"]]
    others += health_supply.supplier_troubles(suppliers) + health_supply.stock_troubles(stock)
    troubles = _refused_removals() + broken + sorted(others, key=lambda each: -each["severity"])
    age = clock.now() - report.seen_at if report else None
    day = pki_health.measured_day()
    context = {
        "first": troubles[0] if troubles else None,
        "others": [_row(each) for each in troubles[1:]],
        "values": health_values.rows(report.findings, authorities, day) if report else [],
        "day": health_values.table_of_day(report.findings, day) if report else None,
        "ocsp_chart": health_values.ocsp_chart(day),
        "seen_at": moment(report.seen_at) if report else "",
        "ago": pki_words.ago(age) if age is not None else "",
        "late": age is None or age > LATE,
        "summary": _summary(troubles),
        "findings": [each for each in findings if not each["severity"]],
        "inventory": _inventory(latest_inventory()),
        "clock": _clock(pki_health.clock_reading()),
        "chains": [_chain(each) for each in checks],
        "suppliers": [health_supply.panel(each) for each in suppliers],
        "failures": health_supply.failures(actor, suppliers),
        "rate": health_supply.rate(suppliers),
        "stock": health_supply.stock_figures(stock),
    }
    return render_page(request, PKI, "operators/health.html", context, here="health")


def headline(actor: Actor) -> str:
    """Returns what is wrong in a sentence or more, for Dagen and the first page of the section; an empty text if nothing is."""
    report = pki_health.latest_report()
    sentences = []
    if any(not each.ok for each in pki_health.audit_checks()):
        sentences.append(_("Händelseloggens kedja stämmer inte."))
    if report is None:
        sentences.append(_("Ingen kontroll av driften är gjord än. Den görs var femte minut."))
    elif clock.now() - report.seen_at > LATE:
        minutes = int(LATE.total_seconds() // 60)
        sentences.append(_("Driftläget är okänt. Ingen kontroll är gjord på {n} minuter.").format(n=minutes))
    elif wrong := sum(each.severity == Severity.ERROR for each in report.findings):
        sentences.append(_("Kontrollen visar {n} fel.").format(n=wrong))
    if role_holder_reading.held_losses():
        sentences.append(_("Inga uppdrag avslutades: för många rollinnehavare saknas i HSA-katalogen."))
    return " ".join([*sentences, *health_supply.headline(actor, clock.now())])


def _summary(troubles: list[dict[str, Any]]) -> str:
    """Returns how things stand in one sentence."""
    if not troubles:
        return _("Allt fungerar.")
    told = ngettext("{n} sak behöver ses över", "{n} saker behöver ses över", len(troubles)).format(n=len(troubles))
    wrong = sum(each["severity"] == Severity.ERROR for each in troubles)
    if wrong == len(troubles):
        return f"{told}."
    if wrong:
        return ngettext("{told}, varav {n} är ett fel.", "{told}, varav {n} är fel.", wrong).format(told=told, n=wrong)
    return _("{told}, men inget är fel.").format(told=told)


def _row(each: dict[str, Any]) -> dict[str, Any]:
    """Returns a problem as a row of components/rows.html."""
    parts = [each["text"] + ".", each["remedy"], *([_("Sedan {at}.").format(at=each["since"])] if each["since"] else [])]
    return {
        "title": each["title"],
        "tag": each["tag"]["text"],
        "tag_kind": each["tag"]["kind"],
        "text": " ".join(parts),
        "action": each["page_text"],
        "url": each["page"],
    }


def _finding(each: SeenFinding, authorities: Mapping[str, str]) -> dict[str, Any]:
    area, _name = health_words.area_of(each.subject)
    page, page_text = health_values.page_of(each.subject)
    return {
        "title": health_words.title_of(each.subject, authorities),
        "looks_at": _(area.looks_at).format(days=RESPONDER_RENEW_BEFORE.days, hours=_HOURS) if area.looks_at else "",
        "remedy": _(area.remedy),
        "severity": int(each.severity),
        "tag": health_values.severity_tag(each.severity),
        "text": _sentence(each.text),
        "since": minute(each.since),
        "page": page,
        "page_text": page_text,
    }


def _sentence(text: str) -> str:
    """Returns a finding's text as a sentence. A CA's state at its beginning becomes its label."""
    code, comma, rest = text.partition(",")
    if code in pki_words.CA_STATES:
        text = pki_words.label(pki_words.CA_STATES, code) + comma + rest
    return capfirst(text)


def _failed_chain(each: AuditCheckView) -> dict[str, Any]:
    """Returns a chain whose last verification failed, as a problem."""
    return {
        "title": _("Händelseloggens kedja, {chain}").format(chain=wording.label(health_words.CHAIN, each.chain)),
        "remedy": _("Ändra inget. Spara databasen och mappen audit, och anmäl det som en säkerhetshändelse."),
        "severity": int(Severity.ERROR),
        "tag": health_values.severity_tag(Severity.ERROR),
        "text": _sentence(each.text),
        "since": minute(each.at),
        "page": "#loggen",
        "page_text": _("Visa genomgångarna"),
    }


def _refused_removals() -> list[dict[str, Any]]:
    """Returns a problem if the HSA directory lacked assignments of so many role holders that the last run ended none of them
    (ADR 0036).
    """
    found = role_holder_reading.held_losses()
    if found is None:
        return []
    text = _("HSA-katalogen saknar uppdrag för {held} av {read} rollinnehavare, så inget avslutades")
    return [
        {
            "title": _("Läsning av rollinnehavare"),
            "remedy": _("Kontrollera HSA-katalogen. Om den stämmer, kör issuance_read_role_holders --accept-losses."),
            "severity": int(Severity.ERROR),
            "tag": health_values.severity_tag(Severity.ERROR),
            "text": text.format(held=found.held, read=found.read),
            "since": minute(found.at),
            "page": "",
            "page_text": "",
        }
    ]


def _inventory(report: InventoryReport | None) -> dict[str, Any] | None:
    if report is None:
        return None
    return {
        "ended_at": moment(report.ended_at),
        "ago": pki_words.ago(clock.now() - report.ended_at),
        "tokens": [{"token": each, "tag": pki_words.tagged(pki_words.TOKEN_STATES, each.state)} for each in report.tokens],
        "problems": [
            {
                "problem": each,
                "kind": wording.label(pki_words.KEY_PROBLEM, each.kind),
                "facts": ", ".join(f"{name}: {value}" for name, value in each.facts.items()),
            }
            for each in report.problems
        ],
    }


def _clock(reading: ClockReading) -> dict[str, Any]:
    if reading.went_back:
        tag = {"kind": "revoked", "text": _("Har gått tillbaka")}
    elif reading.is_far_ahead:
        tag = {"kind": "revoked", "text": _("Långt före databasen")}
    else:
        tag = {"kind": "active", "text": _("Signering tillåten")}
    rows = [
        row(_("Senast signerat"), moment(reading.produced_at) or _("inget än")),
        row(_("Portalens klocka"), moment(reading.now)),
        row(_("Databasens klocka"), moment(reading.database)),
    ]
    if reading.went_back:
        rows.append(row(_("Signering väntar i"), _("{n} sekunder").format(n=int(reading.behind.total_seconds()) + 1)))
    return {"tag": tag, "rows": rows}


def _chain(each: AuditCheckView) -> dict[str, Any]:
    old = clock.now() - each.at > VERIFY_SOON
    kind = "revoked" if not each.ok else "missing" if old else "active"
    text = _("Stämmer inte") if not each.ok else _("Gammal kontroll") if old else _("Stämmer")
    return {
        "name": wording.label(health_words.CHAIN, each.chain),
        "check": each,
        "tag": {"kind": kind, "text": text},
        "at": minute(each.at),
        "text": _sentence(each.text),
    }
