"""Searches for one card by its complete serial number, as from a scanner: where they lead, and what they prove."""

import datetime as dt
from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import carrier_states
from issuance.carriers.models import Carrier
from issuance.search.domain.search_terms import TermKind
from issuance.search.models import Search
from issuance.search.services import searching
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound

RECENT = dt.timedelta(minutes=10)
"""How long a search for a card's complete number takes the place of typing the end of the number."""


def card_to_revoke(*, actor: Actor, search: Search) -> UUID | None:
    """Returns the valid card whose complete serial number was searched for, if to revoke it is all that the actor can do to it.

    Returns None for other searches, other actors and cards that have ended.
    """
    if search.kind != TermKind.CARD_SERIAL or not policy.only_revokes(actor):
        return None
    cards = Carrier.objects.visible_to(actor, Action.REVOKE_CARRIER).filter(card_serial=search.value, person__isnull=False)
    return cards.exclude(state__in=carrier_states.INVALID).values_list("pk", flat=True).first()


def is_of_card(*, actor: Actor, session_id: UUID, search_id: UUID, carrier_id: UUID) -> bool:
    """Returns whether the actor searched for this card by its complete serial number in this session, within `RECENT`."""
    try:
        found = searching.own(actor=actor, session_id=session_id, search_id=search_id)
    except NotFound:
        return False
    if found.kind != TermKind.CARD_SERIAL or found.created_at < clock.now() - RECENT:
        return False
    return searching.found_carrier(actor=actor, search=found) == carrier_id
