"""A search that asks the HSA directory for a person whom the portal does not know yet (ADR 0196)."""

from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.people.services import catalogue_reading
from issuance.records.domain.ids import parse_hsa_id, parse_swedish_number
from issuance.search.domain.search_terms import TermKind
from issuance.search.models import Search
from issuance.search.services import searching
from siths_portal.lib import clock


def search(
    *,
    actor: Actor,
    session_id: UUID,
    action: Action,
    text: str = "",
    name: str = "",
    extended: bool = False,
    reason: str = "",
) -> Search:
    """Does what `searching.search` does. A whole person id or HSA-id that finds nobody asks the directory, and looks again if
    somebody came.

    The directory is asked for those who may do `action`, about posts in the organisations where they may. That is one search,
    whatever came of it: a budget that shrank by two would tell that there is somebody. Raises Unavailable and Refused too.
    """
    found = searching.search(actor=actor, session_id=session_id, text=text, name=name, extended=extended, reason=reason)
    if not asks(actor, found, action) or not _read(actor, found, action):
        return found
    return searching.again(actor=actor, search=found)


def asks(actor: Actor, found: Search, action: Action) -> bool:
    """True for a search that asked the directory, since it found nobody in the portal and named somebody by a whole id."""
    whole = found.kind == TermKind.PERSON_ID or (found.kind == TermKind.HSA_ID and _is_hsa_id(found.value))
    return whole and not found.hits and not found.extended and policy.holds(actor, action)


def _read(actor: Actor, found: Search, action: Action) -> bool:
    if found.kind == TermKind.HSA_ID:
        return catalogue_reading.read_holder(actor=actor, hsa_id=found.value, action=action)
    person_id = parse_swedish_number(found.value, today=clock.today())
    return catalogue_reading.read_person(actor=actor, person_id=person_id, action=action)


def _is_hsa_id(text: str) -> bool:
    try:
        parse_hsa_id(text)
    except ValueError:
        return False
    return True
