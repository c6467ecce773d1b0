"""The search for whom to give a role: one field takes a name, a person id, or a HSA-id or its ending (domain.md 1.3, 5).

The search is `searching.search`, with its budgets, its handle and its silence about protected persons (S13, S14).
"""

from uuid import UUID

from issuance.authz import Actor
from issuance.domain.ids import parse_swedish_number
from issuance.domain.search_names import looks_like_name, parse_name
from issuance.domain.search_terms import Term, TermError, TermKind, parse_term
from issuance.models import Search
from issuance.services import catalogue_reading, searching
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid, NotFound

_EMPTY = "Skriv ett namn, ett person-id eller slutet av ett tjänste-id."


def search(*, actor: Actor, session_id: UUID, text: str) -> Search:
    """Looks for what `text` means. A whole person id that finds nobody asks the catalogue, and looks again if somebody came.

    That is one search, whatever came of it: a budget that shrank by two would tell that there is somebody.
    Raises Invalid (field text), TooManyRequests, Unavailable, Refused.
    """
    if not text.strip():
        raise Invalid("search-empty", _EMPTY, fields={"text": [_EMPTY]})
    if looks_like_name(text):
        return _by_name(actor, session_id, text)
    found = searching.search(actor=actor, session_id=session_id, text=text)
    if found.hits or found.kind != TermKind.PERSON_ID:
        return found
    if not catalogue_reading.read_person(actor=actor, person_id=parse_swedish_number(found.value, today=clock.today())):
        return found
    return searching.again(actor=actor, search=found)


def _by_name(actor: Actor, session_id: UUID, text: str) -> Search:
    try:
        return searching.search(actor=actor, session_id=session_id, name=text)
    except Invalid as error:
        raise Invalid(error.code, error.message, fields={"text": [error.message]}) from None


def own(*, actor: Actor, session_id: UUID, search_id: UUID | None) -> Search | None:
    """The actor's search of this session; None for any other, as after a new log-in."""
    if search_id is None:
        return None
    try:
        return searching.own(actor=actor, session_id=session_id, search_id=search_id)
    except NotFound:
        return None


def is_for(found: Search, text: str) -> bool:
    """True if `text` means what was searched for: whom it found is then whom the text names."""
    try:
        term = _term(text)
    except TermError:
        return False
    return (found.kind, found.value) == (term.kind.value, term.value)


def _term(text: str) -> Term:
    return parse_name(text) if looks_like_name(text) else parse_term(text, today=clock.today())
