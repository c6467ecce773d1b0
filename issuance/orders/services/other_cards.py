"""The ordinary cards that a person has, or that are ordered, which matter for an order of one more (ADR 0085)."""

from uuid import UUID

from django.db.models import QuerySet

from issuance.authz import Actor
from issuance.carriers.domain import carrier_states, kinds
from issuance.carriers.models import Carrier


def ordered_kinds() -> list[str]:
    """Returns the kinds of carriers that are ordered for one person."""
    return kinds.codes(lambda kind: kind.rule(kinds.Function.ORDER) is not None)


def other_cards(*, actor: Actor, person_id: UUID) -> QuerySet[Carrier]:
    """Returns the cards that the actor sees. Cards out of scope are left out."""
    rows = Carrier.objects.visible_to(actor).filter(person=person_id, kind__in=ordered_kinds())
    return rows.exclude(state__in=[state.value for state in carrier_states.INVALID])
