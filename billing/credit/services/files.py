"""The files of credit notes, made after the approval by the renderers of invoices."""

from django.db.models import Q

from billing.documents.domain.invoices import DocumentType
from billing.invoices.services import rendering

ACTOR = "system:credit_notes"


def render_credit_notes() -> int:
    """Makes the missing files of all credit notes and returns how many. It can be repeated, run twice and killed.

    Raises Conflict and Unavailable as `rendering.render` does.
    """
    return rendering.render(Q(document_type=DocumentType.CREDIT_NOTE.value), actor_ref=ACTOR)
