"""What waits for a clerk in numbers, read by one query: sent cards, orders that came to nothing, eIDs that end, register care,
and suspected documents; and the outcome that is counted by night. The lines of Dagen, and the overviews of those who are in
charge, are made of it.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Case, Exists, ExpressionWrapper, F, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.fields import CharField
from django.db.models.functions import Cast, Concat
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.activation.queries import day as suspected_documents
from issuance.activation.queries import suspicions
from issuance.authz import Action, Actor, policy
from issuance.day.queries import cards, outcome
from issuance.offices.models import OrganisationOffice
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import OrderItem
from issuance.records.domain import wording
from issuance.register_care.queries import day as register_care
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.pages.day import Line, Urgency

_SENT, _ENDING, _TO_FETCH, _SUSPECTED = "sent", "ending", "to_fetch", "suspected"


@dataclass(frozen=True)
class Sent:
    """A card that is sent and not activated: the days that it has left, and the office that it was ordered through.

    `office_id` is empty if the organisation can no longer choose the office, and both are for those who are not in charge.
    """

    days_left: int
    office_id: str = ""
    office: str = ""


@dataclass(frozen=True)
class Counted:
    """The result of the one query of Dagen. Each kind has at most MOST + 1 rows.

    `sent`: the sent cards, the one that is revoked first on top. `fetch_by`: the end of the time to fetch each ordered eID.
    `numbers`: the number of rows of each kind. `register_care`: the rows for `register_care.lines_of`. `days`: the outcome of
    each day, for those in charge.
    """

    sent: Sequence[Sent] = ()
    fetch_by: Sequence[dt.datetime] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    register_care: Sequence[tuple[str, dt.datetime]] = ()
    days: Sequence[outcome.Outcome] = ()

    @property
    def ending(self) -> int:
        """How many eIDs end soon."""
        return self.numbers.get(_ENDING, 0)

    @property
    def to_nothing(self) -> int:
        """How many orders failed or came back."""
        return sum(self.numbers.get(state.value, 0) for state in (OrderState.RETURNED, OrderState.FAILED))


@prepared
def _waiting(
    actor: Actor, since: dt.datetime, until: dt.datetime, soon: dt.date, places: list[str], first: dt.date, offices_from: dt.date
) -> QuerySet[Any, Any]:
    """Returns a kind and a moment for each sent card, each order that came to nothing, each eID that ends or waits for its
    holder, each row of Registervård that is due, and each suspected document that the actor judges.

    With places, the office follows the kind of a sent card, and the outcome of each of their days since `first` is added.
    """
    what = _sent_through() if places else Value(_SENT)
    sent = _kind(cards.not_activated(actor), what, "sent_at").order_by(cards.oldest())[: cards.MOST + 1]
    orders = _kind(cards.to_nothing(actor, since), F("state"), "ordered_at").order_by()[: cards.MOST + 1]
    eids = _kind(cards.ending(actor, until), Value(_ENDING), "valid_to").order_by()[: cards.MOST + 1]
    ordered = _of_to_fetch(actor)
    suspected = _kind(suspicions.waiting(actor), Value(_SUSPECTED), "at").order_by()[: cards.MOST + 1]
    counted = [outcome.rows(places, first, offices_from)] if places else []
    return sent.union(orders, eids, ordered, register_care.due(actor, soon), suspected, *counted, all=True)


@prepared
def _eids_to_fetch(actor: Actor) -> QuerySet[Any, Any]:
    return _of_to_fetch(actor)


def _of_to_fetch(actor: Actor) -> QuerySet[Any, Any]:
    return _kind(cards.to_fetch(actor), Value(_TO_FETCH), "expires_at").order_by()[: cards.MOST + 1]


def _kind(rows: QuerySet[Any], kind: Any, moment: str) -> QuerySet[Any, Any]:
    found: QuerySet[Any, Any] = rows.annotate(what=ExpressionWrapper(kind, output_field=CharField()))
    return found.values_list("what", moment)


def _sent_through() -> Any:
    """Returns the kind of a sent card with the id and name of its office, between slashes.

    PostgreSQL evaluates it after the limit, for the rows of the answer only.
    """
    connected = OrganisationOffice.objects.filter(office=OuterRef("order__office"), organisation=OuterRef("order__organisation"))
    office_id = Case(When(Exists(connected), then=Cast("order__office", CharField())), default=Value(""))
    through = Concat(office_id, Value("/"), "order__office__name", output_field=CharField())
    items = OrderItem.objects.filter(carrier=OuterRef("pk")).values_list(through)
    return Concat(Value(f"{_SENT}/"), Subquery(items, output_field=CharField()), output_field=CharField())


def counted(actor: Actor, *, in_charge: bool = False) -> Counted:
    """Returns what waits within what the actor may act on, by one query. Those who order no cards but eIDs, such as officers for
    reserve cards, get the eIDs that wait for their holders; others get nothing.

    For those `in_charge` with the offices of sent cards, and the outcome of the last weeks.
    """
    if not policy.holds(actor, Action.ORDER_ORDINARY_CARD):
        may = policy.holds(actor, Action.ORDER_EID)
        return Counted(fetch_by=[at for _what, at in _eids_to_fetch(actor)] if may else ())
    places = outcome.places_of(actor) if in_charge else []
    times = (cards.orders_since(), cards.ending_until(), register_care.soon())
    rows = _waiting(actor, *times, places, outcome.since(), outcome.offices_since())
    kinds = Counter(what.partition("/")[0] for what, _at in rows)
    sent = sorted((_sent_card(what, at) for what, at in rows if what.startswith(_SENT)), key=lambda each: each.days_left)
    fetch_by = [at for what, at in rows if what == _TO_FETCH]
    return Counted(sent, fetch_by, kinds, rows, outcome.of_rows(rows))


def _sent_card(what: str, sent_at: dt.datetime) -> Sent:
    office_id, office = (*what.split("/", 2), "", "")[1:3]
    return Sent(cards.days_left(cards.last_day_to_activate(sent_at)), office_id, office)


def lines(counted: Counted) -> Iterator[Line]:
    """Yields a line for each number of what was counted."""
    yield from suspected_documents.lines_of(counted.numbers.get(_SUSPECTED, 0))
    yield from _sent(each.days_left for each in counted.sent)
    yield from _to_nothing(counted.numbers)
    yield from register_care.lines_of(counted.register_care)
    yield from _to_fetch(counted.fetch_by)
    if count := counted.ending:
        yield Line(
            urgency=Urgency.LATER,
            title=ngettext(
                "{n} SITHS eID slutar gälla inom {days} dagar", "{n} SITHS eID slutar gälla inom {days} dagar", count
            ).format(n=cards.number(count), days=cards.ENDING_DAYS),
            url=reverse("day_ending"),
            text=_("Uppdatera dem eller beställ nya kort i tid, så att ingen blir utan."),
            icon="renew",
            action=_("Visa listan"),
        )


def _sent(days_left: Iterable[int]) -> Iterator[Line]:
    """Yields a line for the sent cards of each urgency."""
    counts = Counter(cards.urgency_of(left) for left in days_left)
    titles = {
        Urgency.TODAY: ngettext("{n} kort spärras i kväll", "{n} kort spärras i kväll", counts[Urgency.TODAY]),
        Urgency.THIS_WEEK: ngettext(
            "{n} kort spärras inom {days} dagar", "{n} kort spärras inom {days} dagar", counts[Urgency.THIS_WEEK]
        ),
        Urgency.LATER: ngettext(
            "{n} skickat kort har mer än {days} dagar kvar",
            "{n} skickade kort har mer än {days} dagar kvar",
            counts[Urgency.LATER],
        ),
    }
    texts = {
        Urgency.TODAY: ngettext(
            "Kortet är skickat men inte aktiverat. I dag är sista dagen.",
            "Korten är skickade men inte aktiverade. I dag är sista dagen.",
            counts[Urgency.TODAY],
        ),
        Urgency.THIS_WEEK: ngettext(
            "Kortet är skickat men inte aktiverat. Påminn innehavaren.",
            "Korten är skickade men inte aktiverade. Påminn innehavarna.",
            counts[Urgency.THIS_WEEK],
        ),
        Urgency.LATER: ngettext(
            "Innehavaren har inte aktiverat det än.",
            "Innehavarna har inte aktiverat dem än.",
            counts[Urgency.LATER],
        ),
    }
    for urgency, within in ((Urgency.TODAY, "0"), (Urgency.THIS_WEEK, str(cards.SOON)), (Urgency.LATER, "")):
        if count := counts[urgency]:
            yield Line(
                urgency=urgency,
                title=titles[urgency].format(n=cards.number(count), days=cards.SOON),
                url=reverse("day_sent") + (f"?inom={within}" if within else ""),
                text=texts[urgency].format(days=cards.SOON),
                icon="card",
                action=_("Visa korten"),
            )


def _to_fetch(fetch_by: Sequence[dt.datetime]) -> Iterator[Line]:
    """Yields a line for the eIDs that wait for their holders, as urgent as the one whose time ends first."""
    if count := len(fetch_by):
        soonest = cards.days_left(wording.last_day(min(fetch_by)))
        yield Line(
            urgency=Urgency.THIS_WEEK if soonest <= cards.SOON else Urgency.LATER,
            title=ngettext("{n} SITHS eID väntar på att hämtas", "{n} SITHS eID väntar på att hämtas", count).format(
                n=cards.number(count)
            ),
            url=reverse("day_to_fetch"),
            text=_("Innehavarna hämtar dem på Mina sidor. Därefter måste de beställas igen."),
            icon="hourglass",
            action=_("Visa listan"),
        )


def _to_nothing(counts: Mapping[str, int]) -> Iterator[Line]:
    if count := counts.get(OrderState.RETURNED.value):
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=ngettext("{n} brev har kommit i retur", "{n} brev har kommit i retur", count).format(n=cards.number(count)),
            url=f"{reverse('day_orders')}?status={OrderState.RETURNED}",
            text=_("Posten kunde inte lämna ut kortet eller PUK-brevet. Kontrollera adressen och gör om kortet."),
            icon="return",
            action=_("Visa beställningarna"),
        )
    if count := counts.get(OrderState.FAILED.value):
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=ngettext("{n} beställning misslyckades", "{n} beställningar misslyckades", count).format(n=cards.number(count)),
            url=f"{reverse('day_orders')}?status={OrderState.FAILED}",
            text=_("Kortleverantören kunde inte tillverka kortet. Beställ ett nytt."),
            icon="warning",
            action=_("Visa beställningarna"),
        )
