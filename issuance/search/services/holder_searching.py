"""The search for a person to give a role to: one field accepts a name, a person id, or an HSA-id or its ending (rules/issuance
1.3, 2.1). Uses `searching.search` with its rate limits, its opaque ids and its treatment of protected persons (S13, S14).
"""

from uuid import UUID

from issuance.authz import Action, Actor
from issuance.search.domain.search_names import looks_like_name, parse_name
from issuance.search.domain.search_terms import Term, TermError, parse_term
from issuance.search.models import Search
from issuance.search.services import catalogue_searching, searching
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid, NotFound

_EMPTY = "Skriv ett namn, ett person-id eller slutet av ett tjänste-id."


def search(*, actor: Actor, session_id: UUID, text: str) -> Search:
    """Searches for `text`. If a complete id has no hit, queries the directory. Raises Invalid (field text), TooManyRequests,
    Unavailable, Refused.
    """
    if not text.strip():
        raise Invalid("search-empty", _EMPTY, fields={"text": [_EMPTY]})
    if looks_like_name(text):
        return _by_name(actor, session_id, text)
    return catalogue_searching.search(actor=actor, session_id=session_id, action=Action.ASSIGN_ROLE, text=text)


def _by_name(actor: Actor, session_id: UUID, text: str) -> Search:
    try:
        return searching.search(actor=actor, session_id=session_id, name=text)
    except Invalid as error:
        raise Invalid(error.code, error.message, fields={"text": [error.message]}) from None


def own(*, actor: Actor, session_id: UUID, search_id: UUID | None) -> Search | None:
    """Returns the actor's search of this session, or None for any other, for example one from before a new login."""
    if search_id is None:
        return None
    try:
        return searching.own(actor=actor, session_id=session_id, search_id=search_id)
    except NotFound:
        return None


def is_for(found: Search, text: str) -> bool:
    """Returns whether `text` parses to the same value as the search, so that its hits answer `text`."""
    try:
        term = _term(text)
    except TermError:
        return False
    return (found.kind, found.value) == (term.kind.value, term.value)


def _term(text: str) -> Term:
    return parse_name(text) if looks_like_name(text) else parse_term(text, today=clock.today())
