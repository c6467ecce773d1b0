"""The page of published certificate status: CRLs and their ages, OCSP responses, and the responder processes (ADR 0177)."""

import datetime as dt
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from issuance.operators.queries import pki_import_words as import_words
from issuance.operators.queries import pki_words
from issuance.operators.queries.pki_words import moment
from issuance.operators.web.section import PKI
from issuance.records.web.frame import render_page
from issuance.records.web.values import bytes_of, number, row
from pki.operators import status as pki_status
from pki.operators.status import CaStatus, ListStatus, ResponderProcess, StoreStatus
from siths_portal.lib import clock

SIGNER_SOON = dt.timedelta(days=10)
"""Responders are renewed 15 days before they end; fewer days than this mean that the renewal fails."""
LOOKED_LATE = dt.timedelta(minutes=2)
"""The worker checks every 15 seconds. An older report no longer describes the present state."""
STORE_LATE = dt.timedelta(seconds=10)
ANSWER_LATE = dt.timedelta(minutes=1)
"""The responder publishes a new status within seconds; a longer wait is a fault."""


@require_safe
@PKI.requires()
def status(request: HttpRequest) -> HttpResponse:
    """Shows CRLs, responses and processes of every CA that publishes status."""
    now, store = clock.now(), pki_status.status_of_store()
    authorities = pki_status.ca_statuses()
    lists = [line for each in authorities for line in _lists(each, now)]
    answers = [_answers(each, now) for each in authorities if each.has_answers]
    context = {
        "now": moment(now),
        "lists": lists,
        "shards": [line for each in authorities for line in _shards(each, now)],
        "answers": answers,
        "troubled": _troubled(lists, answers, store, now),
        "silent": [each.common_name for each in authorities if not each.has_answers],
        "store": _store(store, now) if store else None,
        "processes": [_process(each, now) for each in store.processes] if store else [],
    }
    return render_page(request, PKI, "operators/status.html", context, here="status")


def _troubled(lists: list[dict[str, Any]], answers: list[dict[str, Any]], store: StoreStatus | None, now: dt.datetime) -> int:
    """Returns how many CRLs, responders and stores need somebody to look at them."""
    late_lists = sum(each["state"]["kind"] in ("missing", "revoked") or bool(each.get("failures")) for each in lists)
    late_answers = sum(
        each["ending"] or each["late"] or each["signer_soon"] or (each["signer_days"] is None and not each["itself"])
        for each in answers
    )
    return int(late_lists) + int(late_answers) + bool(store and _store(store, now)["tag"]["kind"] == "missing")


def _authority(each: CaStatus) -> dict[str, str]:
    return {"name": each.common_name, "url": reverse("pki_authority", args=[each.slug, each.generation])}


def _lists(each: CaStatus, now: dt.datetime) -> list[dict[str, Any]]:
    """Returns a line for the CA's complete CRL and one for its worst shard, which represents all shards."""
    complete = [_list(each, found, now) | {"scope": _("alla certifikat")} for found in each.lists if found.shard is None]
    parts = [found for found in each.lists if found.shard is not None]
    if not complete and each.has_key:
        complete = [_authority(each) | {"scope": _("alla certifikat"), "state": _list_tag("missing")}]
    if parts:
        oldest = max(parts, key=lambda found: (found.failures, found.age(now)))
        scope = _("{n} delar, den äldsta").format(n=len(parts))
        complete.append(
            _list(each, oldest, now)
            | {"scope": scope, "entries": number(sum(f.entries for f in parts)), "size": bytes_of(sum(f.size for f in parts))}
        )
    return complete


def _shards(each: CaStatus, now: dt.datetime) -> list[dict[str, Any]]:
    return [_list(each, found, now) | {"scope": str(found.shard)} for found in each.lists if found.shard is not None]


def _list(each: CaStatus, found: ListStatus, now: dt.datetime) -> dict[str, Any]:
    left = found.left(now)
    return _authority(each) | {
        "number": found.number or "",
        "state": _list_tag(found.state(each.period, now)),
        "this_update": moment(found.this_update)[:16],
        "age": pki_words.ago(found.age(now)) if found.this_update else "",
        "next_update": moment(found.next_update)[:16],
        "left": _("om {span}").format(span=pki_words.span(left)) if left and left > dt.timedelta() else "",
        "entries": number(found.entries) if found.number else "",
        "size": bytes_of(found.size) if found.number else "",
        "lacks": _counted(found.lacks),
        "lacks_since": pki_words.ago(now - found.first_lacking) if found.first_lacking else "",
        "leased_until": moment(found.leased_until)[11:],
        "failures": found.failures,
        "failure": found.failure,
        "retry_at": moment(found.retry_at)[11:],
    }


def _list_tag(state: str) -> dict[str, str]:
    return pki_words.tagged(import_words.LIST_STATES, state)


def _counted(value: int) -> str:
    """Formats a count that stops at `pki.operators.status.COUNTED`."""
    return _("minst {n}").format(n=number(value)) if value >= pki_status.COUNTED else number(value)


def _decimal(value: float) -> str:
    return str(formats.number_format(value, decimal_pos=1))


def _answers(each: CaStatus, now: dt.datetime) -> dict[str, Any]:
    found = each.answers
    left = found.signer_until - now if found.signer_until else None
    coverage = found.coverage
    lag = now - found.waiting_since if found.waiting_since else None
    return _authority(each) | {
        "itself": each.answers_itself and found.signer_until is None,
        "signer_url": reverse("pki_certificate", args=[found.signer_certificate]) if found.signer_certificate else "",
        "signer_days": left.days if left is not None else None,
        "signer_soon": left is not None and left < SIGNER_SOON,
        "stored": number(found.stored) if found.stored is not None else "–",
        # Rounds down, so that 100 % means that every response exists.
        "coverage": f"{_decimal(int(coverage * 1000) / 10)} %" if coverage is not None else "–",
        "oldest": pki_words.ago(now - found.oldest) if found.oldest else "–",
        "first_end": moment(found.first_end)[:16],
        "ending": each.answers_end_soon(now),
        "held": _counted(found.held),
        "waiting": _counted(found.waiting),
        "lag": pki_words.ago(lag) if lag is not None else "",
        "late": lag is not None and lag > ANSWER_LATE,
    }


def _store(found: StoreStatus, now: dt.datetime) -> dict[str, Any]:
    late = now - found.seen_at > LOOKED_LATE
    lag = max(found.seen_at - found.followed_at, dt.timedelta()) if found.followed_at else None
    if late:
        tag = {"kind": "missing", "text": _("Statusen är okänd")}
    elif lag is None:
        tag = {"kind": "info", "text": _("Inget lager finns")}
    elif lag > STORE_LATE:
        tag = {"kind": "missing", "text": _("Följer inte databasen")}
    else:
        tag = {"kind": "active", "text": _("Följer databasen")}
    rows = [
        row(_("Kontrollerat av pki-worker"), f"{moment(found.seen_at)}, {pki_words.ago(now - found.seen_at)}"),
        row(_("Lagrets generation"), found.generation or _("inget lager"), code=True),
        row(_("Följde databasen"), moment(found.followed_at) or _("aldrig")),
        row(
            _("Efter databasen"), _("{n} s").format(n=f"{lag.total_seconds():.1f}".replace(".", ",")) if lag is not None else "–"
        ),
        row(_("Svar räknade"), moment(found.counted_at) or _("inte än")),
    ]
    return {"tag": tag, "rows": rows, "late": late}


def _process(each: ResponderProcess, now: dt.datetime) -> dict[str, Any]:
    return {
        "process": each,
        "started_at": moment(each.started_at)[:16],
        "told_at": pki_words.ago(now - each.told_at),
        "generation": each.generation or "–",
        "answered": number(each.answered),
        "errors": number(each.errors),
    }
