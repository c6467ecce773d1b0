"""The day around which a card that is ordered arrives (rules/issuance 3.15)."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery

from issuance.authz import Action, Actor, policy
from issuance.authz.scope import outermost
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.effective import paths_upward
from issuance.orders.domain.order_states import UNDER_WAY
from issuance.orders.models.delivery_times import DeliveryTime
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import Organisation
from issuance.records.domain import wording
from siths_portal.lib import clock, workdays
from siths_portal.lib.database.prepared import prepared


@dataclass(frozen=True)
class DeliverySpan:
    """The days around which a card that is ordered today arrives, from the fastest of the suppliers to the slowest.

    `half` has the fewest and the most working days within which the suppliers sent half of their cards; None if any of them sent
    too few to tell.
    """

    first: dt.date
    last: dt.date
    half: tuple[int, int] | None


def measured() -> Subquery:
    """Returns the working days of the delivery time of the supplier of an order or a customisation, to annotate it with."""
    return Subquery(DeliveryTime.objects.filter(pk=OuterRef("supplier_ref")).values("working_days"))


def arrives_on(ordered_on: dt.date, working_days: int | None) -> dt.date:
    """Returns the day around which a card that was ordered on a day arrives. `working_days` is the measured delivery time of its
    supplier; for None the setting CARD_WORKING_DAYS holds.
    """
    days = settings.CARD_WORKING_DAYS if working_days is None else working_days
    return workdays.after(ordered_on, days + settings.POST_WORKING_DAYS)


def arrival_of(order: CardOrder, working_days: int | None) -> dt.date | None:
    """Returns the day around which the card of an order arrives, whose making may have begun again. None once it is sent or the
    order has ended, and for a bundle.
    """
    if order.state not in UNDER_WAY or order.person_id is None:
        return None
    began_on = wording.day(order.restarted_at or order.ordered_at)
    return arrives_on(began_on, working_days) if began_on else None


def span_of(actor: Actor) -> DeliverySpan | None:
    """Returns when a card arrives that the actor orders today: by the suppliers of the card customisations of the organisations
    where the actor may order, and of those above, whose customisation they may use. None if there is no customisation. One query.
    """
    if not policy.holds(actor, Action.ORDER_ORDINARY_CARD):
        return None
    above = [path for place in outermost(policy.reach(actor, Action.ORDER_ORDINARY_CARD)) for path in paths_upward(place)]
    known = {working_days for _ref, working_days in _of_customisations(actor, above)}
    if not known:
        return None
    today = clock.today()
    days = [arrives_on(today, each) for each in known]
    told = sorted(each for each in known if each is not None)
    return DeliverySpan(min(days), max(days), (told[0], told[-1]) if len(told) == len(known) else None)


@prepared
def _of_customisations(actor: Actor, above: list[str]) -> QuerySet[CardCustomisation, Any]:
    where = Organisation.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD)
    used = CardCustomisation.objects.filter(Q(organisations__in=where) | Q(organisations__scope_path__in=above))
    return used.exclude(supplier_ref="").order_by().values_list("supplier_ref", measured()).distinct()
