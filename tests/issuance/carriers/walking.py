"""The ground of a walk through the lives of cards: where it begins, and what every rule of it shares."""

import datetime as dt
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Max
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from issuance.authz import Actor
from issuance.housekeeping.services import deadlines
from issuance.people.models.persons import Post
from issuance.records.models.events import Event
from siths_portal.lib import clock
from tests.issuance.carriers import agreeing, situations
from tests.issuance.carriers.model import Card, Model
from tests.issuance.reserve_cards.blank import Officer
from tests.issuance.world import World
from tests.rewinding import undone

DOCUMENTS = ("passport", "sis_id", "tax_agency_id", "national_id")
"""Two visits in a row have different ones: the same would be one click of a clerk who clicks twice."""


@dataclass
class Scene:
    """The rows at which every walk begins: persons with two assignments each, and two officers with cards of their own."""

    world: World
    demo_pki: Any
    people: list[tuple[Post, Post]]
    first: Officer
    second: Officer
    rewind: Callable[[], None]
    most_cards: int
    documents: Any = field(default_factory=lambda: itertools.cycle(DOCUMENTS))

    @property
    def officer(self) -> Actor:
        """Who does what no other is named for."""
        return self.first.actor


class Walk(RuleBasedStateMachine):
    """A walk: the portal and the model side by side."""

    scene: Scene

    def __init__(self) -> None:
        super().__init__()
        self.scene.rewind()
        self.world, self.officer = self.scene.world, self.scene.officer
        self.model = Model()
        self.since = Event.objects.aggregate(Max("id"))["id__max"] or 0

    def post(self, card: Card) -> Post:
        """The assignment that a card is for; of a card without a holder that of the first person."""
        return self.scene.people[card.person or 0][0]

    def situation(self, card: Card) -> situations.Situation:
        """The card for an act of the tables."""
        post, further = self.scene.people[card.person or 0]
        return situations.Situation(
            card.kind, self.world, post, further, card.pk, card.order.row if card.order else None, card.number, card.keys,
            card.csrs or {}, frozenset(card.reported), card.app, card.signature,
        )  # fmt: skip

    def run_deadlines(self) -> None:
        """The hourly job. It also ends reserve cards that were handed out and whose eID was revoked."""
        deadlines.run()
        for card in self.model.cards:
            if card.state == "reserved" and card.live_eids == 0:
                self.model.revoke(card)

    @invariant()
    def states_and_events_agree(self) -> None:
        """After each act."""
        agreeing.require_states(self.model, self.since)

    def teardown(self) -> None:
        """After the last one, unless something was wrong before."""
        if sys.exc_info()[0] is None:
            agreeing.require_agreement(self.scene.demo_pki, self.model)
            with undone(), clock.moved_to(clock.now() + dt.timedelta(days=6 * 366)):
                deadlines.run()
                agreeing.require_an_end(self.model)


def is_room(walk: Any) -> bool:
    """Whether a walk may have one more card: of few cards each comes further."""
    return sum(card.is_live for card in walk.model.cards) < walk.scene.most_cards


def on_card(test: Callable[[Any, Card], bool], **drawn: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """A rule for one of the cards that `test` finds, which the walk draws. Its `act` is the same for a given card."""

    def decorate(act: Callable[..., None]) -> Any:
        def on_one(walk: Any, pick: int, **values: Any) -> None:
            found = [card for card in walk.model.cards if test(walk, card)]
            act(walk, found[pick % len(found)], **values)

        on_one.__name__ = act.__name__
        named = rule(pick=st.integers(0, 999), **drawn)(on_one)
        found = precondition(lambda walk: any(test(walk, card) for card in walk.model.cards))(named)
        found.act = act  # type: ignore[attr-defined]
        return found

    return decorate
