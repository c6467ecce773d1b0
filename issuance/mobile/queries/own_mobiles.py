"""A holder's own mobile eIDs and enrolments, as Mina sidor shows them."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from issuance.authz import Action, Actor
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.kinds import MOBILE_EID
from issuance.carriers.models import Carrier
from issuance.mobile.services import enrolments
from issuance.records.domain import wording


@dataclass(frozen=True)
class OwnMobile:
    """A mobile eID that is valid or on its way. `valid_to` is its last day."""

    id: UUID
    device: str
    organisation: str
    state: str
    valid_to: dt.date | None

    @property
    def is_active(self) -> bool:
        """Whether it can be used."""
        return self.state == CarrierState.ACTIVE


@dataclass(frozen=True)
class OwnMobiles:
    """The holder's mobile eIDs, the newest first, and how many they may have."""

    found: tuple[OwnMobile, ...]
    most: int

    @property
    def has_room(self) -> bool:
        """Whether the holder may have a further one."""
        return len(self.found) < self.most


def own_mobiles(actor: Actor) -> OwnMobiles:
    """Returns the holder's mobile eIDs. Runs one query."""
    if actor.person_id is None:
        return OwnMobiles((), enrolments.most())
    rows = enrolments.valid_mobiles(actor.person_id).select_related("organisation").order_by("-created_at", "-id")
    visible = Carrier.objects.visible_to(actor, Action.ENROL_MOBILE_EID).filter(kind=MOBILE_EID.code)
    found = tuple(
        OwnMobile(row.pk, row.device, row.organisation.name, row.state, wording.last_day(row.valid_to))
        for row in rows.filter(pk__in=visible.values("pk")).defer("card_key_spki")
    )
    return OwnMobiles(found, enrolments.most())
