"""Pages on a person. Each records a disclosure before it shows data (ADR 0080)."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from issuance.carriers import queries as certificate_view
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.queries import CertificateView
from issuance.people.queries import person_photo as photos
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries import carrier_words, next_step, person_functions, person_view
from issuance.person_page.queries.page_parts import PersonView
from issuance.person_page.queries.person_functions import Function
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url
from issuance.register_care.queries import of_person
from issuance.reserve_cards.queries import of_person as hand_outs
from siths_portal.lib.files.downloads import attachment, picture, serves_picture
from siths_portal.lib.ids import id_of
from siths_portal.lib.pages.dates import in_words


@require_safe
def person(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Shows the person; with `?ogiltiga=1` also invalid carriers, with `?barare=<id>` one carrier open. Raises NotFound."""
    actor = actor_of(request)
    requested = id_of(request.GET.get("barare", ""))
    page = person_view.person_view(
        actor=actor, person_id=person_id, with_invalid=request.GET.get("ogiltiga") == "1", opened=requested
    )
    disclosures.record(actor=actor, person_id=person_id, shown=Shown.PERSON)
    step = next_step.next_step(page)
    found = next((each.id for each in page.carriers if each.id == requested), None)
    subject = step.carrier.id if step and step.carrier else None
    context = {
        "page": page,
        "carriers": sorted(page.carriers, key=lambda each: (each.id != found, carrier_words.rank(each.state))),
        "step": step,
        "drafts": [each for each in page.drafts if step is None or step.url != each.url],
        "groups": person_functions.grouped(_functions(page)),
        "hand_outs": hand_outs.rows(actor, person_id),
        "work": of_person.rows(actor, person_id),
        "found": found,
        # The next step tells how the found card is to be treated, and is nearer to the heading.
        "focused": found if found != subject else None,
        "focus_heading": found is None or found == subject,
        "person_facts": _facts(page),
        "photo_url": photo_url(page.head),
        "why_none": _why_no_carriers(page, own=page.head.id == actor.person_id),
        "order": next((each for each in page.functions if each.address == "order_start" and each.allowed), None),
    }
    return render_page(request, SEARCH, "person_page/person.html", context)


def _functions(page: PersonView) -> list[Function]:
    """Returns the functions of the right column."""
    lost = person_functions.lost_card(page.head.id, page.carriers)
    possessions = ((each.functions, (eid.functions for eid in each.eids)) for each in page.carriers)
    everything = person_functions.everything(page.head.id, possessions)
    offered = person_functions.with_cards_under_way(page.functions, _under_way(page))
    return [*offered, *lost, *everything]


def _under_way(page: PersonView) -> str:
    """Returns which cards are on their way to the holder; empty if none is."""
    found = [each for each in page.carriers if each.state in (CarrierState.ORDERED, CarrierState.SENT)]
    if len(found) > 1:
        return _("{n} kort är på väg.").format(n=len(found))
    if found and found[0].last:
        return _("Kortet …{last} är på väg.").format(last=found[0].last)
    return _("Ett kort är redan beställt.") if found else ""


def _facts(page: PersonView) -> list[tuple[str, str]]:
    """Returns the line of facts below the name: label and value."""
    head, most = page.head, 3
    names = ", ".join(page.organisations[:most])
    if (more := len(page.organisations) - most) > 0:
        names = _("{names} och {more} till").format(names=names, more=more)
    read = in_words(head.register_read_at) or _("inte än")
    facts = [(_("Uppdrag"), names), (_("Foto"), in_words(head.photo_taken))]
    return [(label, value) for label, value in (*facts, (_("Läst i personregistret"), read)) if value]


def _why_no_carriers(page: PersonView, *, own: bool) -> str:
    """Returns the text for a page without carriers."""
    if page.invalid_count:
        return _("Välj Visa ogiltiga bärare för att se personens tidigare kort.")
    if own:
        return _("Du har inget kort som du kan se här. Be en annan ID-administratör beställa ett åt dig.")
    return _("Personen har inget kort som du kan se.")


@require_safe
def certificate(request: HttpRequest, certificate_id: UUID) -> HttpResponse:
    """Shows a certificate in words. Raises NotFound."""
    actor = actor_of(request)
    page = certificate_view.certificate_view(actor=actor, certificate_id=certificate_id)
    disclosures.record(actor=actor, person_id=page.person_id, shown=Shown.CERTIFICATE, subject=certificate_id)
    return render_page(request, SEARCH, "person_page/certificate.html", {"page": page, "functions": _of_certificate(page)})


def _of_certificate(page: CertificateView) -> list[Function]:
    """Returns links to the other certificates of its pair, and to its file."""
    others = ((pk, _("Certifikat för {use}").format(use=use.lower())) for pk, use in page.siblings if pk != page.id)
    found = [Function(name, "certificate", pk) for pk, name in others]
    return [*found, Function(_("Ladda ned certifikatet (PEM)"), "certificate_pem", page.id)] if page.pem else found


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
