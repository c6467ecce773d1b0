"""Pages that show and print a receipt again. Every view records an event (ADR 0080)."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from issuance.activation.queries import receipt_view
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries import person_view
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url


@require_safe
def receipt(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Shows the receipt's main data with a link to the signed document. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    page = receipt_view.receipt_view(actor=actor, carrier_id=carrier_id)
    head = person_view.person_head(actor=actor, person_id=page.person_id)
    disclosures.record(actor=actor, person_id=page.person_id, shown=Shown.RECEIPT, subject=carrier_id)
    return render_page(
        request, SEARCH, "activation/receipt_page.html", {"page": page, "head": head, "photo_url": photo_url(head)}
    )


@require_safe
def receipt_pdf(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Returns the signed document, to read or print in the browser. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    document = receipt_view.receipt_document(actor=actor, carrier_id=carrier_id)
    disclosures.record(actor=actor, person_id=document.person_id, shown=Shown.RECEIPT_PDF, subject=carrier_id)
    return HttpResponse(
        document.content,
        content_type="application/pdf",
        headers={
            "Content-Disposition": 'inline; filename="kvittens.pdf"',
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        },
    )
