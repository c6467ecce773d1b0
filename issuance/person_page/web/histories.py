"""Pages of histories of a person, a carrier and an eID, and of who looked. Each records a disclosure before it shows data."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries import access_log as access
from issuance.person_page.queries import person_view
from issuance.person_page.web.history import AccessList, PaperList, PersonHistoryList
from issuance.records.queries import history
from issuance.records.queries.history import PersonHistory
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url
from siths_portal.lib import clock
from siths_portal.lib.lists import Shown as Listed

_TEMPLATE, _PAPER = "person_page/history.html", "person_page/history_paper.html"


@require_safe
def person_history(request: HttpRequest, person_id: UUID) -> HttpResponseBase:
    """Shows the history of a person and of their carriers and roles. Raises NotFound, Forbidden."""
    found = history.person_history(actor=actor_of(request), person_id=person_id)
    lead = _("Vad som har hänt med personens kort, SITHS eID, beställningar och roller.")
    return _history(request, found, person_id, Shown.PERSON_HISTORY, Shown.PERSON_HISTORY_FILE, lead)


@require_safe
def carrier_history(request: HttpRequest, carrier_id: UUID) -> HttpResponseBase:
    """Shows the history of a carrier. Raises NotFound, Forbidden."""
    found = history.carrier_history(actor=actor_of(request), carrier_id=carrier_id)
    lead = _("Vad som har hänt med kortet och dess SITHS eID.")
    return _history(request, found, carrier_id, Shown.CARRIER_HISTORY, Shown.CARRIER_HISTORY_FILE, lead)


@require_safe
def eid_history(request: HttpRequest, eid_id: UUID) -> HttpResponseBase:
    """Shows the history of an eID. Raises NotFound, Forbidden."""
    found = history.eid_history(actor=actor_of(request), eid_id=eid_id)
    lead = _("Vad som har hänt med detta SITHS eID och beställningarna av det.")
    return _history(request, found, eid_id, Shown.EID_HISTORY, Shown.EID_HISTORY_FILE, lead)


@require_safe
def access_log(request: HttpRequest, person_id: UUID) -> HttpResponseBase:
    """Shows who was shown data of a person. Raises NotFound, Forbidden."""
    rows = access.access_log(actor=actor_of(request), person_id=person_id)
    listed = AccessList(request, rows, person_id)
    lead = _("Vem som har sett personens sida, historik, foto, certifikat, kvittenser och beställningar.")
    return _answer(request, listed, person_id, person_id, Shown.ACCESS_LOG, _("Vem har tittat"), lead)


def _history(request: HttpRequest, found: PersonHistory, subject: UUID, shown: Shown, file: Shown, lead: str) -> HttpResponseBase:
    listed = PersonHistoryList(request, found, file, subject)
    heading = _("Historik för {carrier}").format(carrier=found.carrier) if found.carrier else _("Personens historik")
    return _answer(request, listed, found.person_id, subject, shown, heading, lead)


def _answer[L](
    request: HttpRequest, listed: PaperList[L], person_id: UUID, subject: UUID, shown: Shown, heading: str, lead: str
) -> HttpResponseBase:
    """Returns the list as a page, as a file, or with `?papper=1` as a page to print."""
    actor = actor_of(request)
    head = person_view.person_head(actor=actor, person_id=person_id)
    context = {"head": head, "photo_url": photo_url(head), "about": heading, "lead": lead}

    def draw(page: Listed[L]) -> HttpResponse:
        if not listed.on_paper:
            disclosures.record(actor=actor, person_id=person_id, shown=shown, subject=subject)
        more = {"list": page, "form": page.form, "paper_url": listed.paper_url if page.lines else "", "printed_at": clock.now()}
        return render_page(request, SEARCH, _PAPER if listed.on_paper else _TEMPLATE, context | more, status=page.status)

    return listed.answer(draw)
