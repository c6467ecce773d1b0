"""What waits for a clerk in numbers, read by one query: sent and unsigned cards, orders that came to nothing, eIDs that end,
register care, and suspected documents; and the outcome that is counted by night. The lines of Dagen (`counted_lines`), and the
overviews of those who are in charge, are made of it.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Case, Exists, ExpressionWrapper, F, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.fields import CharField
from django.db.models.functions import Cast, Concat

from issuance.activation.queries import suspicions
from issuance.authz import Action, Actor, policy
from issuance.day.queries import cards, outcome
from issuance.offices.models import OrganisationOffice
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import OrderItem
from issuance.people.queries import naming
from issuance.register_care.queries import day as register_care
from siths_portal.lib.database.prepared import prepared

SENT, UNSIGNED, ENDING, TO_FETCH, SUSPECTED = "sent", "unsigned", "ending", "to_fetch", "suspected"
RETURNED, FAILED = OrderState.RETURNED.value, OrderState.FAILED.value
_WITH_FIRST = frozenset({ENDING, TO_FETCH, SUSPECTED, RETURNED, FAILED})


@dataclass(frozen=True)
class Sent:
    """A card that is sent and not activated: the days that it has left, the office that it was ordered through, when it was sent,
    and its holder.

    `office_id` is empty if the organisation can no longer choose the office, and both are for those who are not in charge.
    """

    days_left: int
    office_id: str = ""
    office: str = ""
    sent_at: dt.datetime | None = None
    about: str = ""


@dataclass(frozen=True)
class First:
    """The oldest row of a kind of work, with its person, organisation or office."""

    at: dt.datetime
    subject: naming.Subject


@dataclass(frozen=True)
class Counted:
    """The result of the one query of Dagen. Each kind has at most MOST + 1 rows.

    `sent` and `unsigned`: the sent and the unsigned cards, the one that is revoked first on top. `numbers`: the number of rows
    of each kind, and `first` the one of each kind with the earliest moment. `register_care`: the rows for
    `register_care.lines_of`. `days`: the outcome of each day, for those in charge.
    """

    sent: Sequence[Sent] = ()
    unsigned: Sequence[cards.Unsigned] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    first: Mapping[str, "First"] = field(default_factory=dict)
    register_care: Sequence[tuple[str, dt.datetime, str]] = ()
    days: Sequence[outcome.Outcome] = ()

    @property
    def ending(self) -> int:
        """How many eIDs end soon."""
        return self.numbers.get(ENDING, 0)

    @property
    def to_nothing(self) -> int:
        """How many orders failed or came back."""
        return sum(self.numbers.get(state, 0) for state in (RETURNED, FAILED))


@prepared
def _waiting(
    actor: Actor, since: dt.datetime, until: dt.datetime, soon: dt.date, places: list[str], first: dt.date, offices_from: dt.date
) -> QuerySet[Any, Any]:
    """Returns a kind, a moment and a subject for each sent or unsigned card, each order that came to nothing, each eID that ends
    or waits for its holder, each row of Registervård that is due, and each suspected document that the actor judges.

    With places, the office follows the kind of a sent card, and the outcome of each of their days since `first` is added.
    """
    what = _sent_through() if places else Value(SENT)
    holder = naming.subject("person", "card_serial")
    sent = _kind(cards.not_activated(actor), what, "sent_at", holder).order_by(cards.oldest())[: cards.MOST + 1]
    ordered_for = naming.subject("person")
    orders = _kind(cards.to_nothing(actor, since), F("state"), "ordered_at", ordered_for).order_by()[: cards.MOST + 1]
    eids = _kind(cards.ending(actor, until), Value(ENDING), "valid_to", _of_eid()).order_by()[: cards.MOST + 1]
    ordered = _of_to_fetch(actor)
    carrier = Concat(Value(f"{UNSIGNED}/"), Cast("pk", CharField()), output_field=CharField())
    coded = _kind(cards.unsigned(actor), carrier, "code_set_at", holder).order_by("code_set_at", "pk")[: cards.MOST + 1]
    suspected = _kind(suspicions.waiting(actor), Value(SUSPECTED), "at", naming.nothing()).order_by()[: cards.MOST + 1]
    counted = [outcome.rows(places, first, offices_from)] if places else []
    return sent.union(coded, orders, eids, ordered, register_care.due(actor, soon), suspected, *counted, all=True)


@prepared
def _eids_to_fetch(actor: Actor) -> QuerySet[Any, Any]:
    return _of_to_fetch(actor)


def _of_to_fetch(actor: Actor) -> QuerySet[Any, Any]:
    return _kind(cards.to_fetch(actor), Value(TO_FETCH), "expires_at", _of_eid()).order_by()[: cards.MOST + 1]


def _of_eid() -> Any:
    return naming.subject("carrier__person", "carrier__card_serial")


def _kind(rows: QuerySet[Any], kind: Any, moment: str, about: Any) -> QuerySet[Any, Any]:
    found: QuerySet[Any, Any] = rows.annotate(what=ExpressionWrapper(kind, output_field=CharField()), about=about)
    return found.values_list("what", moment, "about")


def _sent_through() -> Any:
    """Returns the kind of a sent card with the id and name of its office, between slashes.

    PostgreSQL evaluates it after the limit, for the rows of the answer only.
    """
    connected = OrganisationOffice.objects.filter(office=OuterRef("order__office"), organisation=OuterRef("order__organisation"))
    office_id = Case(When(Exists(connected), then=Cast("order__office", CharField())), default=Value(""))
    through = Concat(office_id, Value("/"), "order__office__name", output_field=CharField())
    items = OrderItem.objects.filter(carrier=OuterRef("pk")).values_list(through)
    return Concat(Value(f"{SENT}/"), Subquery(items, output_field=CharField()), output_field=CharField())


def counted(actor: Actor, *, in_charge: bool = False) -> Counted:
    """Returns what waits within what the actor may act on, by one query. Those who order no cards but eIDs, such as officers for
    reserve cards, get the eIDs that wait for their holders; others get nothing.

    For those `in_charge` with the offices of sent cards, and the outcome of the last weeks.
    """
    if not policy.holds(actor, Action.ORDER_ORDINARY_CARD):
        rows = _eids_to_fetch(actor) if policy.holds(actor, Action.ORDER_EID) else []
        return Counted(numbers={TO_FETCH: len(rows)}, first=_first(rows))
    places = outcome.places_of(actor) if in_charge else []
    times = (cards.orders_since(), cards.ending_until(), register_care.soon())
    rows = _waiting(actor, *times, places, outcome.since(), outcome.offices_since())
    kinds = Counter(what.partition("/")[0] for what, *_ in rows)
    sent = sorted((_sent_card(*row) for row in rows if row[0].startswith(SENT)), key=lambda each: each.days_left)
    unsigned = [cards.Unsigned(UUID(what[len(UNSIGNED) + 1 :]), *row) for what, *row in rows if what.startswith(UNSIGNED)]
    unsigned.sort(key=lambda each: each.code_set_at)
    return Counted(sent, unsigned, kinds, _first(rows), rows, outcome.of_rows(rows))


def _first(rows: Iterable[tuple[str, dt.datetime, str]]) -> dict[str, First]:
    """Returns the row with the earliest moment of each kind whose lines name a person."""
    found: dict[str, tuple[dt.datetime, str]] = {}
    for what, at, about in rows:
        if what in _WITH_FIRST and (what not in found or at < found[what][0]):
            found[what] = (at, about)
    return {what: First(at, naming.read(about)) for what, (at, about) in found.items()}


def _sent_card(what: str, sent_at: dt.datetime, about: str) -> Sent:
    office_id, office = (*what.split("/", 2), "", "")[1:3]
    return Sent(cards.days_left(cards.last_day_to_activate(sent_at)), office_id, office, sent_at, about)
