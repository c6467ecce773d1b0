"""A search that also queries the HSA directory for a person who is not in the portal yet (ADR 0196)."""

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
    """Searches as `searching.search`. If a complete person id or HSA-id has no hit, reads the person from the HSA directory and
    searches again.

    The directory is queried only if the actor may do `action`, and only for assignments in organisations where they may. Both
    searches count as one against the rate limit; counting two would reveal that the person exists. Raises Unavailable and
    Refused too.
    """
    found = searching.search(actor=actor, session_id=session_id, text=text, name=name, extended=extended, reason=reason)
    if not queries_directory(actor, found, action) or not _read(actor, found, action):
        return found
    return searching.again(actor=actor, search=found)


def queries_directory(actor: Actor, found: Search, action: Action) -> bool:
    """Returns whether a search led to a query of the directory: it had no hit in the portal and contained a complete id."""
    is_complete_id = found.kind == TermKind.PERSON_ID or (found.kind == TermKind.HSA_ID and _is_hsa_id(found.value))
    return is_complete_id and not found.hits and not found.extended and policy.holds(actor, action)


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
