"""Cards, orders and eIDs that wait for a clerk: the lines of Dagen, and the rows of the lists that they lead to.

Each selection is limited to what the actor may act on, so a person whom the actor may not see is in no line and no number.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median_high
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import ExpressionWrapper, F, QuerySet, Value
from django.db.models.fields import DateTimeField
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, Eid
from issuance.orders.domain.drafts import DraftState
from issuance.orders.domain.eid_order_states import EidOrderState
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.models.orders import CardOrder
from issuance.orders.queries import outcomes
from issuance.people.models.persons import Person
from issuance.people.queries import naming
from issuance.records.domain import wording
from issuance.revocation.queries import held_revocations
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.pages.dates import in_words
from siths_portal.lib.pages.day import Line, Urgency

MOST = 200
"""Cards, orders and eIDs are counted up to this number."""

PERSONS = 5
"""At most this many persons have lines of their own; a list has the others."""

HALF_OF = 4
"""The fewest sent cards of which a half is worth a number."""

SOON = 7
ENDING_DAYS = 30
ORDER_DAYS = outcomes.SHOWN_DAYS


def lines(actor: Actor, unsigned: Sequence["Unsigned"]) -> Iterator[Line]:
    """Yields the lines about cards that the actor may order, activate or revoke, one by one (`counting` has the numbers)."""
    yield from _held(actor)
    yield from _unsigned(unsigned)
    if policy.holds(actor, Action.ORDER_ORDINARY_CARD):
        yield from _drafts(actor)


def person_name(person: Person) -> str:
    """Returns the name in use, first name first. A protected person is named on their own page only."""
    return _("Skyddad person") if person.is_protected else f"{person.given_name_in_use} {person.surname}"


def named(subject: naming.Subject) -> dict[str, Any]:
    """Returns the fields of a line that is about one person: their name, which leads to their page."""
    return {
        "title": subject.title,
        "url": reverse("person", args=[subject.person_id]),
        "persons": (subject.person_id,),
        "is_protected": subject.is_protected,
    }


def _held(actor: Actor) -> Iterator[Line]:
    if count := len(found := held_revocations.to_decide(actor=actor)):
        since = in_words(min(row.requested_at for row in found))
        yield Line(
            urgency=Urgency.TODAY,
            title=ngettext("{n} spärr väntar på ditt beslut", "{n} spärrar väntar på ditt beslut", count).format(n=count),
            url=reverse("held_revocations"),
            text=ngettext(
                "En annan ID-administratör begärde spärren {since}. Kortet gäller tills du har beslutat.",
                "Den första begärdes {since}. Korten gäller tills du har beslutat.",
                count,
            ).format(since=since),
            icon="ban",
            action=_("Visa spärrarna"),
        )


# Cards that the holder has not signed for.


def unsigned(actor: Actor) -> QuerySet[Carrier]:
    """Returns the cards with a code but without a signed receipt that the actor may activate, never the actor's own."""
    rows = Carrier.objects.visible_to(actor, Action.ACTIVATE_ORDINARY_CARD).filter(state=CarrierState.ACTIVATED_UNSIGNED.value)
    return rows.exclude(person=actor.own_id)


def last_day_to_sign(code_set_at: dt.datetime | None) -> dt.date | None:
    """Returns the last day for the holder's signature; the night after it the card is revoked."""
    day = wording.day(code_set_at)
    return day + dt.timedelta(days=settings.NOT_SIGNED_DAYS) if day else None


@dataclass(frozen=True)
class Unsigned:
    """A card of `unsigned`, and its holder as the text of `people.naming`."""

    id: UUID
    code_set_at: dt.datetime
    about: str


def _unsigned(found: Sequence[Unsigned]) -> Iterator[Line]:
    for card in found[:PERSONS]:
        left, subject = days_left(last_day_to_sign(card.code_set_at)), naming.read(card.about)
        yield Line(
            **named(subject),
            urgency=urgency_of(left),
            text=_("Innehavaren valde kod {since} men har inte skrivit under kvittensen. Kortet som slutar på {last}.").format(
                since=in_words(wording.day(card.code_set_at)), last=subject.last
            ),
            icon="hourglass",
            action=_("Fortsätt aktivera"),
            action_url=reverse("activate", args=[card.id]),
            tag=revoked_in(left),
        )
    if more := len(found) - PERSONS if len(found) > PERSONS else 0:
        left = days_left(last_day_to_sign(found[PERSONS].code_set_at))
        yield Line(
            urgency=urgency_of(left),
            title=ngettext("{n} kort till väntar på underskrift", "{n} kort till väntar på underskrift", more).format(
                n=number(more, MOST - PERSONS)
            ),
            url=reverse("day_unsigned"),
            text=_("Innehavarna har valt kod men inte skrivit under kvittensen."),
            icon="hourglass",
            action=_("Visa korten"),
            tag=revoked_in(left),
        )


# Drafts of orders.


@prepared
def _open_drafts(actor: Actor, owner_ref: str, most: int) -> QuerySet[OrderDraft]:
    people = Person.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD)
    rows = OrderDraft.objects.filter(owner_ref=owner_ref, state=DraftState.OPEN.value, person__in=people)
    return rows.select_related("person").only("person", "created_at", "updated_at").order_by("-updated_at", "pk")[:most]


def _drafts(actor: Actor) -> Iterator[Line]:
    for draft in _open_drafts(actor, actor.ref, PERSONS):
        began = draft.created_at.astimezone(clock.STOCKHOLM)
        when = _("kl. {time}").format(time=f"{began:%H:%M}") if began.date() == clock.today() else f"{began:%Y-%m-%d}"
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=person_name(draft.person),
            url=reverse("person", args=[draft.person_id]),
            text=_("Du började beställa ett kort {when}. Beställningen är inte skickad.").format(when=when),
            icon="pen",
            action=_("Fortsätt beställa"),
            action_url=reverse("order", args=[draft.pk]),
            persons=(draft.person_id,),
            is_protected=draft.person.is_protected,
        )


# Cards that are sent, orders that came to nothing, and eIDs that end, which `counting` counts.


def not_activated(actor: Actor) -> QuerySet[Carrier]:
    """Returns the cards that are sent to their holders and not activated, and that the actor may activate."""
    rows = Carrier.objects.visible_to(actor, Action.ACTIVATE_ORDINARY_CARD).filter(state=CarrierState.SENT.value)
    rows = rows.filter(person__isnull=False)
    return rows.exclude(person=actor.own_id)


def last_day_to_activate(sent_at: dt.datetime | None) -> dt.date | None:
    """Returns the last day for activation; the night after it the card is revoked."""
    day = wording.day(sent_at)
    return day + dt.timedelta(days=settings.NOT_ACTIVATED_DAYS) if day else None


def sent_from(actor: Actor, office: UUID | None = None) -> QuerySet[Carrier]:
    """Returns the cards of `not_activated`, those that were ordered through the office with this id if one is given."""
    found = not_activated(actor)
    return found.filter(item__order__office=office) if office else found


def days_left_of_sent(actor: Actor, office: UUID | None = None) -> list[int]:
    """Returns the days that each card of `sent_from` has left to be activated, the fewest first, for at most MOST + 1 cards."""
    found = sent_from(actor, office).order_by(oldest()).values_list("sent_at", flat=True)[: MOST + 1]
    return [days_left(last_day_to_activate(moment)) for moment in found]


def half_waited(left: Sequence[int]) -> int | None:
    """Returns for how many days half of the sent cards have waited or longer, by the days that each has left; None for fewer than
    HALF_OF or more than MOST.
    """
    return int(settings.NOT_ACTIVATED_DAYS - median_high(left)) if HALF_OF <= len(left) <= MOST else None


def oldest() -> Any:
    """Returns the order of sent cards. By the column, PostgreSQL would read the cards of the whole country in that order."""
    return ExpressionWrapper(F("sent_at") + Value(dt.timedelta(0)), output_field=DateTimeField()).asc()


def sent_before(days: int) -> dt.datetime:
    """Returns the moment before which cards were sent that have at most `days` days left."""
    return clock.start_of_day(clock.today() + dt.timedelta(days=days + 1 - settings.NOT_ACTIVATED_DAYS))


def to_nothing(actor: Actor, since: dt.datetime) -> QuerySet[CardOrder]:
    """Returns the orders since `since` that failed or came back, for other persons who got no other order after them."""
    rows = CardOrder.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD).exclude(person=actor.own_id)
    return outcomes.without_a_later_order(rows.filter(person__isnull=False), since)


def orders_since() -> dt.datetime:
    """Returns since when orders are shown that came to nothing."""
    return clock.start_of_day(clock.today() - dt.timedelta(days=ORDER_DAYS))


def ending(actor: Actor, until: dt.datetime) -> QuerySet[Eid]:
    """Returns the active eIDs that end by `until` and whose holders the actor may order cards for, never the actor's own. Leaves
    out those of reserve cards, which always end soon and need nothing after them.
    """
    rows = Eid.objects.visible_to(actor, Action.ORDER_EID).filter(state=EidState.ACTIVE.value, valid_to__lte=until)
    return rows.exclude(carrier__person=actor.own_id).exclude(carrier__kind=kinds.RESERVE_CARD.code)


def to_fetch(actor: Actor) -> QuerySet[EidOrder]:
    """Returns the eIDs that wait for their holders to fetch them and that the actor may order, never the actor's own."""
    rows = EidOrder.objects.visible_to(actor, Action.ORDER_EID).filter(state=EidOrderState.ORDERED.value)
    return rows.exclude(carrier__person=actor.own_id)


def ending_until() -> dt.datetime:
    """Returns the end of the last day on which eIDs are counted that end soon."""
    return clock.start_of_day(clock.today() + dt.timedelta(days=ENDING_DAYS + 1))


def days_left(last: dt.date | None) -> int:
    """Returns the number of days until `last`, or a number above SOON if there is no last day."""
    return (last - clock.today()).days if last else SOON + 1


def urgency_of(left: int) -> Urgency:
    """Returns how urgent it is with this many days left."""
    return Urgency.TODAY if left <= 0 else Urgency.THIS_WEEK if left <= SOON else Urgency.LATER


def revoked_in(left: int) -> str:
    """Returns in words when a card with this many days left is revoked."""
    if left <= 0:
        return _("Spärras i kväll")
    return _("Spärras i morgon") if left == 1 else _("{n} dagar kvar").format(n=left)


def number(count: int, most: int = MOST) -> str:
    """Returns the count in words; cards, orders and eIDs are counted up to `most`."""
    return _("Fler än {n}").format(n=most) if count > most else str(count)
