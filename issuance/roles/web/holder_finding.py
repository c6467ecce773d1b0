"""The choice of a person on pages that give a role: search, result, confirmation (ADR 0188).

The role goes only to a person found by a search for the text in the field. If the text has changed, the page searches first.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _

from issuance.authz import Actor
from issuance.records.domain import wording
from issuance.records.web.frame import actor_of
from issuance.roles.queries import role_reach
from issuance.roles.queries.role_holders import role_summaries
from issuance.roles.services import role_assignment
from issuance.roles.web.role_forms import AddHolderForm
from issuance.search.models import Search
from issuance.search.services import holder_searching, searching
from siths_portal.lib.errors import Invalid, Refused, TooManyRequests, Unavailable
from siths_portal.lib.ids import id_of

_MOST = 20


@dataclass(frozen=True)
class Found:
    """The search results among persons to whom the actor may give roles. `more` is True if not all are shown.

    The actor, and persons without a valid assignment in the area, are shown as disabled.
    """

    search: Search
    hits: Sequence[dict[str, Any]]
    more: bool

    @property
    def open(self) -> int:
        """The number of hits that can be picked."""
        return sum(not hit["reason"] for hit in self.hits)

    def person(self, text: str) -> UUID | None:
        """Returns the picked hit, or None."""
        return next((hit["id"] for hit in self.hits if str(hit["id"]) == text), None)


def search(request: HttpRequest, form: AddHolderForm, *, area_id: UUID) -> tuple[Found | None, int]:
    """Returns the search result and the HTTP status. Adds errors to the form and keeps what the user typed.

    `area_id` is the area of the role.
    """
    if "text" in form.errors:
        return None, Invalid.http_status
    actor, user = actor_of(request), request.user
    try:
        found = holder_searching.search(
            actor=actor,
            session_id=user.session_id,  # type: ignore[union-attr]
            text=form.cleaned_data["text"],
        )
    except (Invalid, Unavailable, Refused, TooManyRequests) as error:
        form.take(error)
        return None, error.http_status
    return _hits(request, found, area_id), Invalid.http_status if form.errors else 200


def earlier_search(request: HttpRequest, search_id: str, *, area_id: UUID) -> Found | None:
    """Returns the current result of an earlier search in this session, or None without one."""
    actor, user = actor_of(request), request.user
    found = holder_searching.own(actor=actor, session_id=user.session_id, search_id=id_of(search_id))  # type: ignore[union-attr]
    return _hits(request, found, area_id) if found else None


def is_same_text(found: Found | None, text: str) -> bool:
    """True if the hits come from a search for the text in the field."""
    return found is not None and holder_searching.is_for(found.search, text)


def require_person(found: Found | None, picked: str) -> UUID:
    """Returns the picked hit. Raises Invalid without one."""
    person_id = found.person(picked) if found else None
    if person_id is None:
        raise Invalid("person-missing", _("Sök och välj en person."), fields={"text": [_("Sök och välj en person.")]})
    return person_id


def _hits(request: HttpRequest, found: Search, area_id: UUID) -> Found:
    actor = actor_of(request)
    hits = searching.hits(actor=actor, search=found)
    page = hits.first(_MOST)
    allowed = role_reach.may_get_roles(actor=actor, person_ids=[hit.person_id for hit in page.lines])
    organisations = role_reach.organisations_of(actor=actor, person_ids=allowed)
    posted = role_assignment.with_posts_in(area_id, allowed)
    summaries = role_summaries(role_reach.in_reach(actor), [pk for pk in allowed if pk != actor.person_id])
    shown = [
        {
            "id": hit.person_id,
            "name": hit.name,
            "number": wording.person_number(hit.number_kind, hit.number),
            "hsa_ids": hit.hsa_ids,
            "organisations": organisations.get(hit.person_id, []),
            "roles": summaries.get(hit.person_id, []),
            "reason": _reason(hit.person_id, actor, posted),
        }
        for hit in page.lines
        if hit.person_id in allowed
    ]
    return Found(found, shown, hits.too_many or page.next is not None)


def _reason(person_id: UUID, actor: Actor, posted: Collection[UUID]) -> str:
    """Returns why the person cannot be given the role; empty if they can."""
    if person_id == actor.person_id:
        return _("Du kan inte ge dig själv en roll.")
    return "" if person_id in posted else _("Har inget giltigt uppdrag i utgivningsområdet. Kontrollera HSA-katalogen.")
