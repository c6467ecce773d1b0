"""The ordinary cards that a person has already, or that are on their way, as an order of one more needs to know (ADR 0085)."""

from uuid import UUID

from django.db.models import QuerySet

from issuance.authz import Actor
from issuance.carriers.domain import carrier_states, kinds
from issuance.carriers.models import Carrier


def ordered_kinds() -> list[str]:
    """The kinds of carriers that are ordered for one person."""
    return kinds.codes(lambda kind: kind.rule(kinds.Function.ORDER) is not None)


def other_cards(*, actor: Actor, person_id: UUID) -> QuerySet[Carrier]:
    """Those that the actor sees; a card out of scope is not told of."""
    rows = Carrier.objects.visible_to(actor).filter(person=person_id, kind__in=ordered_kinds())
    return rows.exclude(state__in=[state.value for state in carrier_states.INVALID])
