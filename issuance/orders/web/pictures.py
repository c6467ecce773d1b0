"""Pictures of an order's page, only for the draft's clerk: data of a fixed type, in which nothing can run or load (S34)."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from issuance.authz import policy
from issuance.orders.domain.drafts import DraftState
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.queries import order_draft
from issuance.orders.services import draft_steps
from issuance.people.services import disclosures
from issuance.records.web.frame import actor_of
from siths_portal.lib.files.downloads import picture, serves_picture


@serves_picture
@require_safe
def photo(request: HttpRequest, draft_id: UUID, photo_id: UUID) -> HttpResponse:
    """Returns one of the photos that the page offers. Raises NotFound, Forbidden."""
    draft = _open(request, draft_id)
    found = next((choice.photo for choice in order_draft.photo_choices(draft) if choice.photo.pk == photo_id), None)
    if found is None:
        raise policy.not_found()
    if draft.person.is_protected:
        disclosures.record(actor=actor_of(request), person_id=draft.person_id, shown=disclosures.Shown.PHOTO, subject=found.pk)
    return picture(found.content, media_type="image/jpeg")


@serves_picture
@require_safe
def logotype(request: HttpRequest, draft_id: UUID, post_id: UUID) -> HttpResponse:
    """Returns the logotype of a card for one of the person's assignments. Raises NotFound, Forbidden."""
    draft = _open(request, draft_id)
    offered = order_draft.post_choices(actor=actor_of(request), person_id=draft.person_id)
    customisation = next((choice.customisation for choice in offered if choice.post.pk == post_id), None)
    if customisation is None or customisation.logotype is None:
        raise policy.not_found()
    return picture(bytes(customisation.logotype.content), media_type="image/png")


def _open(request: HttpRequest, draft_id: UUID) -> OrderDraft:
    draft = draft_steps.get(actor=actor_of(request), draft_id=draft_id)
    if draft.state != DraftState.OPEN:
        raise policy.not_found()
    return draft
