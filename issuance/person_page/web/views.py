"""Pages on a person. Each records a disclosure before it shows data (ADR 0080)."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from issuance.carriers import queries as certificate_view
from issuance.people.queries import person_photo as photos
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries import person_view
from issuance.person_page.web.history import PersonHistoryList
from issuance.records.queries import history
from issuance.records.queries.history import HistoryEntry, PersonHistory
from issuance.records.web.frame import SEARCH, Link, actor_of, render_page
from issuance.records.web.persons import photo_url
from siths_portal.lib.files.downloads import attachment, picture, serves_picture
from siths_portal.lib.ids import id_of
from siths_portal.lib.lists import Shown as Listed


@require_safe
def person(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Shows the person; with `?ogiltiga=1` also invalid carriers, with `?barare=<id>` one carrier open. Raises NotFound."""
    actor = actor_of(request)
    requested_carrier = id_of(request.GET.get("barare", ""))
    page = person_view.person_view(
        actor=actor, person_id=person_id, with_invalid=request.GET.get("ogiltiga") == "1", opened=requested_carrier
    )
    disclosures.record(actor=actor, person_id=person_id, shown=Shown.PERSON)
    opened = str(requested_carrier) if requested_carrier else _carrier_to_open(page)
    context = {
        "page": page,
        "functions": [*page.functions, _invalid_carriers(request, page)],
        "opened": opened,
        "photo_url": photo_url(page.head),
        "why_none": _why_no_carriers(page, own=page.head.id == actor.person_id),
    }
    return render_page(request, SEARCH, "person_page/person.html", context)


def _why_no_carriers(page: person_view.PersonView, *, own: bool) -> str:
    """Returns the text for a page without carriers. It suggests an order only to users who may order,
    and never for themselves.
    """
    if page.invalid_count:
        return _("Välj Visa ogiltiga bärare för att se personens spärrade och utgångna kort.")
    if own:
        return _("Du har inget kort som du kan se här. Be en annan ID-administratör beställa ett åt dig.")
    text = _("Personen har inget kort som du kan se.")
    if any(function.address == "order_start" and function.allowed for function in page.functions):
        text = f"{text} {_('Beställ ett med Nytt SITHS eID ordinarie kort.')}"
    return text


def _carrier_to_open(page: person_view.PersonView) -> str:
    """Returns the id of the only carrier, or of the only one that waits for the actor, else an empty string."""
    waiting = [one for one in page.carriers if any(function.primary and function.allowed for function in one.functions)]
    for candidates in (page.carriers, waiting):
        if len(candidates) == 1:
            return str(candidates[0].id)
    return ""


def _invalid_carriers(request: HttpRequest, page: person_view.PersonView) -> Link:
    if page.shows_invalid:
        return Link(_("Dölj ogiltiga bärare"), request.path)
    reason = "" if page.invalid_count else _("Personen har inga ogiltiga bärare.")
    return Link(_("Visa ogiltiga bärare"), f"{request.path}?ogiltiga=1", not reason, reason)


@require_safe
def person_history(request: HttpRequest, person_id: UUID) -> HttpResponseBase:
    """Shows the history of a person and of their carriers and roles. Raises NotFound, Forbidden."""
    found = history.person_history(actor=actor_of(request), person_id=person_id)
    return _history(request, found, person_id, Shown.PERSON_HISTORY, Shown.PERSON_HISTORY_FILE)


@require_safe
def carrier_history(request: HttpRequest, carrier_id: UUID) -> HttpResponseBase:
    """Shows the history of a carrier. Raises NotFound, Forbidden."""
    found = history.carrier_history(actor=actor_of(request), carrier_id=carrier_id)
    return _history(request, found, carrier_id, Shown.CARRIER_HISTORY, Shown.CARRIER_HISTORY_FILE)


def _history(request: HttpRequest, found: PersonHistory, subject: UUID, shown: Shown, file: Shown) -> HttpResponseBase:
    actor = actor_of(request)
    head = person_view.person_head(actor=actor, person_id=found.person_id)

    def draw(listed: Listed[HistoryEntry]) -> HttpResponse:
        disclosures.record(actor=actor, person_id=found.person_id, shown=shown, subject=subject)
        context = {
            "carrier": found.carrier,
            "list": listed,
            "form": listed.form,
            "head": head,
            "photo_url": photo_url(head),
        }
        return render_page(request, SEARCH, "person_page/history.html", context, status=listed.status)

    return PersonHistoryList(request, found, file, subject).answer(draw)


@require_safe
def certificate(request: HttpRequest, certificate_id: UUID) -> HttpResponse:
    """Shows a certificate in words. Raises NotFound."""
    actor = actor_of(request)
    page = certificate_view.certificate_view(actor=actor, certificate_id=certificate_id)
    disclosures.record(actor=actor, person_id=page.person_id, shown=Shown.CERTIFICATE, subject=certificate_id)
    return render_page(request, SEARCH, "person_page/certificate.html", {"page": page})


@require_safe
def certificate_pem(request: HttpRequest, certificate_id: UUID) -> HttpResponse:
    """Returns the certificate as a PEM file. Raises NotFound, also if only its serial number is stored."""
    actor = actor_of(request)
    page = certificate_view.certificate_view(actor=actor, certificate_id=certificate_id, with_pem=True)
    disclosures.record(actor=actor, person_id=page.person_id, shown=Shown.CERTIFICATE, subject=certificate_id)
    return attachment(page.pem.encode(), media_type="application/x-pem-file", filename="certifikat.pem")


@serves_picture
@require_safe
def person_photo(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Returns the photo, for users who may see it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    photo = photos.person_photo(actor=actor, person_id=person_id)
    if photo.is_protected:
        disclosures.record(actor=actor, person_id=person_id, shown=Shown.PHOTO)
    return picture(photo.content, media_type="image/jpeg")
