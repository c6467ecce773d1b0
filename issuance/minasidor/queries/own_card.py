"""The reserve card of a session that identifies no person: its state, without personal data."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, Eid
from issuance.records.domain import wording


@dataclass(frozen=True)
class OwnCard:
    """The card in the reader. `last` are the last digits of its number, `valid_to` its last day.

    `eid_valid_to` is the last day of the eID that it has in use, None without one. Of the eID nothing else is read.
    """

    last: str
    state: str
    level: int
    valid_to: dt.date | None
    eid_valid_to: dt.date | None = None

    @property
    def is_handed_out(self) -> bool:
        """Whether somebody may activate or use it."""
        return self.state in (CarrierState.RESERVED, CarrierState.ACTIVATED_UNSIGNED, CarrierState.ACTIVE)


def own_card(actor: Actor) -> OwnCard:
    """Returns the card that the actor is. Raises NotFound for any other actor."""
    if actor.carrier_id is None:
        raise policy.not_found()
    row = policy.get(actor, Action.VIEW, _columns(), actor.carrier_id)
    ends = wording.last_day(row.valid_to), wording.last_day(row.eid_valid_to)
    return OwnCard(row.card_serial[-4:], row.state, row.assurance_level, *ends)


def _columns() -> QuerySet[Any, Any]:
    eids = Eid.objects.filter(carrier=OuterRef("pk"), state=EidState.ACTIVE.value).order_by("-valid_to").values("valid_to")
    rows = Carrier.objects.only("id", "card_serial", "state", "assurance_level", "valid_to")
    return rows.annotate(eid_valid_to=Subquery(eids[:1]))
