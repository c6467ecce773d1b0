"""What the user did today: the numbers of Dagen, and the last persons whom they opened or acted on."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import CharField, QuerySet, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier, Receipt
from issuance.day.queries.cards import person_name
from issuance.people.models.persons import Person
from issuance.people.services.disclosures import Shown
from issuance.records.models.events import OWN_DAY_ACTIONS, Event
from issuance.reserve_cards.domain import IssueState
from issuance.reserve_cards.models import ReserveCardIssue
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.pages.day import Figure

LAST = 10
_MOST = 1000
_SHOWN, _ORDERED, _REVOKED, _EID_REVOKED, _EID_ORDERED = OWN_DAY_ACTIONS
_ACTIVATED = "receipt"
"""Stands for a receipt among the events of the day."""

_HANDED_OUT = "reserve_issue"
"""Stands for a reserve card that was handed out."""

_OPENING = (Shown.PERSON.value, Shown.ORDER.value, Shown.REVOCATION.value)


@dataclass(frozen=True)
class Recent:
    """A person whom the user opened or acted on, as `components/row.html` draws it."""

    person_id: UUID
    time: str
    title: str
    url: str
    text: str
    is_protected: bool = False


@dataclass(frozen=True)
class OwnDay:
    """The user's day so far."""

    figures: tuple[Figure, ...] = ()
    recent: tuple[Recent, ...] = ()


@dataclass(frozen=True)
class _Act:
    """What the user did, when, to a card or a person; one of the two is known."""

    at: dt.datetime
    text: str
    person_id: UUID | None = None
    carrier_id: UUID | None = None

    @property
    def opens(self) -> bool:
        """Whether it only opened a page."""
        return self.carrier_id is None


@dataclass
class _Last:
    """When the user last had to do with a person, and the last act, or else that their page was opened."""

    at: dt.datetime
    opens: bool
    text: str = ""


def own_day(actor: Actor) -> OwnDay:
    """Returns the user's day: numbers for what their roles let them do, and people they may still see. At most three queries."""
    activates, hands_out = (policy.holds(actor, each) for each in (Action.ACTIVATE_ORDINARY_CARD, Action.ISSUE_RESERVE_CARD))
    acts = _acts(actor.ref, clock.start_of_day(clock.today()), activates, hands_out)
    return OwnDay(tuple(_figures(actor, acts)), tuple(_recent(actor, acts)))


@prepared
def _acts(actor_ref: str, since: dt.datetime, activates: bool, hands_out: bool) -> QuerySet[Any, Any]:
    """Returns the user's own events since `since`, the receipts of cards whose holders the user identified, and the reserve cards
    that the user handed out.
    """
    rows = Event.objects.filter(actor_ref=actor_ref, at__gte=since, action__in=OWN_DAY_ACTIONS)
    columns = ("at", "action", "subject_ref", "xid", KT("facts__shown"), KT("facts__person"))
    own = rows.order_by("-at").values_list(*columns)[:_MOST]
    nothing = Value(None, output_field=TextField())
    others: list[QuerySet[Any, Any]] = []
    if activates:
        # A receipt is the event of its holder, so it has no event of the officer.
        of_receipt = ("signed_at", Value(_ACTIVATED), Cast("carrier", CharField()), Value(0), nothing, nothing)
        receipts = Receipt.objects.filter(officer_ref=actor_ref, signed_at__gte=since)
        others.append(receipts.order_by("-signed_at").values_list(*of_receipt)[:_MOST])
    if hands_out:
        # On level 3 the second officer binds the card, so it too has no event of the first one.
        of_issue = ("created_at", Value(_HANDED_OUT), Cast("carrier", CharField()), Value(0), nothing, nothing)
        bound = ReserveCardIssue.objects.filter(officer_ref=actor_ref, created_at__gte=since, state=IssueState.BOUND.value)
        others.append(bound.order_by("-created_at").values_list(*of_issue)[:_MOST])
    return own.union(*others, all=True) if others else own


def _figures(actor: Actor, acts: Iterable[Any]) -> Iterable[Figure]:
    cards = {xid for _at, action, _ref, xid, *_ in acts if action == _REVOKED}
    revoked = sum(action == _REVOKED or (action == _EID_REVOKED and xid not in cards) for _at, action, _ref, xid, *_ in acts)
    if policy.holds(actor, Action.ACTIVATE_ORDINARY_CARD):
        yield Figure(sum(action == _ACTIVATED for _at, action, *_ in acts), _("aktiverade i dag"))
    if policy.holds(actor, Action.ORDER_ORDINARY_CARD):
        yield Figure(sum(action in (_ORDERED, _EID_ORDERED) for _at, action, *_ in acts), _("beställda"))
    handed_out = sum(action == _HANDED_OUT for _at, action, *_ in acts)
    # Few of those who activate ordinary cards hand out reserve cards, so a zero tells them nothing.
    if handed_out or (policy.holds(actor, Action.ISSUE_RESERVE_CARD) and not policy.holds(actor, Action.ACTIVATE_ORDINARY_CARD)):
        name = ngettext("utlämnat reservkort i dag", "utlämnade reservkort i dag", handed_out)
        yield Figure(handed_out, name)
    if policy.holds(actor, Action.REVOKE_CARRIER):
        yield Figure(revoked, _("spärrade"))


def _recent(actor: Actor, rows: Iterable[Any]) -> Iterable[Recent]:
    acts = [act for row in rows if (act := _act(*row))]
    acts.sort(key=lambda act: act.at, reverse=True)
    cards = _cards_of(actor, acts)
    newest: dict[UUID, _Last] = {}
    for act in acts:
        card = cards.get(act.carrier_id) if act.carrier_id else None
        person_id = act.person_id or (card.person_id if card else None)
        if person_id is None:
            continue
        # An act says more than that a page was opened, also when the page was opened again after it.
        known = newest.setdefault(person_id, _Last(act.at, act.opens))
        if (known.opens and not act.opens) or not known.text:
            known.opens, known.text = act.opens, act.text.format(last=card.card_serial[-4:] if card else "")
    return _seen(actor, newest)


def _cards_of(actor: Actor, acts: Iterable[_Act]) -> dict[UUID, Carrier]:
    ids = list(dict.fromkeys(act.carrier_id for act in acts if act.carrier_id))[: 3 * LAST]
    return {card.pk: card for card in _cards(actor, ids)} if ids else {}


@prepared
def _cards(actor: Actor, ids: list[UUID]) -> QuerySet[Carrier]:
    return Carrier.objects.visible_to(actor).filter(pk__in=ids).only("person", "card_serial")


def _act(at: dt.datetime, action: str, ref: str, _xid: int, shown: str | None, person: str | None) -> _Act | None:
    if action == _SHOWN:
        return _Act(at, _("Visade"), person_id=UUID(ref)) if shown in _OPENING else None
    if action == _ORDERED:
        return _Act(at, _("Beställde ett kort"), person_id=UUID(person) if person else None, carrier_id=UUID(ref))
    if action == _REVOKED:
        return _Act(at, _("Spärrade kortet som slutar på {last}"), carrier_id=UUID(ref))
    if action == _HANDED_OUT:
        return _Act(at, _("Lämnade ut reservkortet som slutar på {last}"), carrier_id=UUID(ref))
    if action == _ACTIVATED:
        return _Act(at, _("Aktiverade kortet som slutar på {last}"), carrier_id=UUID(ref))
    return None


def _seen(actor: Actor, newest: Mapping[UUID, _Last]) -> list[Recent]:
    """Returns the newest people among those whom the actor may see now: a scope may have ended since."""
    ids = list(newest)[: 3 * LAST]
    people = {person.pk: person for person in _people(actor, ids)} if ids else {}
    return [
        Recent(
            person_id=pk,
            time=f"{newest[pk].at.astimezone(clock.STOCKHOLM):%H:%M}",
            title=person_name(people[pk]),
            url=reverse("person", args=[pk]),
            text=newest[pk].text,
            is_protected=people[pk].is_protected,
        )
        for pk in ids
        if pk in people
    ][:LAST]


@prepared
def _people(actor: Actor, ids: list[UUID]) -> QuerySet[Person]:
    return Person.objects.visible_to(actor).filter(pk__in=ids).only("given_name_in_use", "surname", "is_protected")
