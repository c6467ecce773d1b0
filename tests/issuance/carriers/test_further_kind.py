"""A further kind of carrier goes from order to invoice facts by its declaration alone, and only in the states that it has."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse

from issuance import service
from issuance.articles.models import Article, OrganisationArticle
from issuance.articles.services.fees import set_subscription_fee
from issuance.authz import Action, Actor, Role
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.domain.kinds import ORDINARY_CARD, CarrierKind, Function, FunctionRule
from issuance.carriers.models import Carrier
from issuance.people.models.persons import Person
from issuance.person_page.queries.person_view import person_view
from issuance.revocation.services import revocation
from siths_portal.lib import clock
from siths_portal.lib.database import feeds, prepared
from tests import superuser
from tests.issuance.activated import activated_card
from tests.issuance.world import SETUP
from tests.portal import portal_client

VISITOR_CARD = dataclasses.replace(
    ORDINARY_CARD,
    code="visitor_card",
    name="Besökskort",
    article_kinds=frozenset({"visitor"}),
    transitions={
        edge: after for edge, after in ORDINARY_CARD.transitions.items() if edge != (CarrierState.ACTIVE, CarrierAction.EXPIRE)
    },
    functions={
        **(ORDINARY_CARD.functions or {}),
        Function.ORDER: FunctionRule(Action.ORDER_ORDINARY_CARD, "Nytt besökskort"),
        Function.REVOKE: FunctionRule(Action.REVOKE_CARRIER, "Spärra besökskort", frozenset({CarrierState.ACTIVE})),
    },
)
CONSTRAINTS = {"issuance_carrier": "issuance_carrier_kind", "issuance_article": "issuance_article_kind"}


@pytest.fixture
def visitor_card(world: Any, demo_pki: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[CarrierKind]:
    """The kind, with an article that the region may order. A migration would tell the database of both."""
    with superuser.cursor("kinds") as cursor:
        for table, name in CONSTRAINTS.items():
            cursor.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {name} TO {name}_before")
            cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [f"{name}_before"])
            (definition,) = cursor.fetchone()
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}_before")
            CONSTRAINT_DEFINITIONS[name] = definition
    Article.objects.create(
        code="990", number="990", name="Besökskort", kind="visitor", orientation="portrait", photo=False,
        valid_from=clock.today(),
    )  # fmt: skip
    OrganisationArticle.objects.create(organisation=world.region, article_id="990", orderable=True)
    # Queries that earlier tests compiled have the kinds of that time as constants.
    monkeypatch.setattr(prepared, "_statements", prepared._Statements())
    with kinds.added(VISITOR_CARD):
        yield VISITOR_CARD
    with superuser.cursor("kinds") as cursor:
        for table, name in CONSTRAINTS.items():
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {CONSTRAINT_DEFINITIONS[name]} NOT VALID")


CONSTRAINT_DEFINITIONS: dict[str, str] = {}


def functions(actor: Actor, carrier: Carrier) -> dict[str, bool]:
    """The functions that the person's page offers on the carrier, and whether each may be used."""
    page = person_view(actor=actor, person_id=carrier.holder_id, with_invalid=True)
    (shown,) = [each for each in page.carriers if each.id == carrier.pk]
    return {function.name: function.allowed for function in shown.functions}


def test_from_the_order_to_the_revocation_and_the_bill(world: Any, visitor_card: CarrierKind, monkeypatch: Any) -> None:
    set_subscription_fee(actor=SETUP, organisation_id=world.region.id, charged=True, valid_from=clock.now())
    officer, post = world.officer(), world.post()
    offered = [function.name for function in person_view(actor=officer, person_id=post.person_id).functions]
    assert offered[:3] == ["Nytt SITHS eID ordinarie kort", "Nytt SITHS eID reservkort", "Nytt besökskort"]

    order = world.order(post, article="990")
    assert order.carrier.kind == "visitor_card"
    assert "Spärra besökskort" not in functions(officer, order.carrier), "only an active one is revoked"
    monkeypatch.setattr(world, "order", lambda *_arguments, **_options: order)
    made = activated_card(world, post)
    assert (made.carrier.kind, made.carrier.state) == ("visitor_card", "active")
    assert functions(officer, made.carrier)["Spärra besökskort"]

    issuer = Person.objects.get(pk=world.officer(role=Role.RESPONSIBLE_ISSUER).person_id)
    listed = portal_client(issuer).get(reverse("organisation_holders", args=[world.region.id])).content.decode()
    assert order.eid.hsa_id in listed

    (fact,) = service.billable_facts(feeds.START, limit=10)
    assert (fact.order_id, fact.article_code) == (order.pk, "990")
    assert [count.persons for count in service.subscription_counts(clock.now())] == [1]

    revocation.revoke_carrier(actor=officer, carrier_id=made.carrier.pk, reason="lost_or_stolen")
    assert made.fresh().state == "revoked"
    assert "Spärra besökskort" not in functions(officer, made.fresh())


def test_a_kind_is_declared_once() -> None:
    with pytest.raises(ValueError, match="ordinary_card"), kinds.added(ORDINARY_CARD):
        pass
