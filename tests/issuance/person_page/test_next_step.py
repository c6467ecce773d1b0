"""The one thing that a person's page proposes: which state leads to which act, by urgency and by right."""

import dataclasses
import datetime as dt
from typing import Any

import pytest
from django.urls import reverse

from issuance.authz import Actor, Role, system
from issuance.carriers.domain import kinds
from issuance.carriers.models import Carrier, Eid
from issuance.imports.services import migration
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import Person, Post
from issuance.person_page.queries import person_functions
from issuance.person_page.queries.next_step import NextStep, next_step
from issuance.person_page.queries.person_view import person_view
from siths_portal.lib import clock
from tests.issuance.migrated import CA, migrated_card

pytestmark = pytest.mark.usefixtures("authorities")


def step_of(actor: Actor, post: Post) -> NextStep | None:
    return next_step(person_view(actor=actor, person_id=post.person_id))


def heading(actor: Actor, post: Post) -> str:
    step = step_of(actor, post)
    return step.heading if step else ""


def ordered(world: Any, post: Post, state: str, serial: int, **changes: Any) -> Carrier:
    carrier: Carrier = world.order(post).carrier
    number = f"9752{serial:015}"
    Carrier.objects.filter(pk=carrier.pk).update(state=state, card_serial=number, sent_at=clock.now(), **changes)
    return carrier


def test_the_most_urgent_act_comes_first(world: Any) -> None:
    """Each is taken away in turn: an unsigned activation, a card to activate, a returned card, a draft, a card that ends."""
    actor, post = world.officer(), world.post(given_name="Elva")
    old = migration.register_migrated_card(actor=system("migration"), card=migrated_card(post), ca=CA)
    end = clock.start_of_day(clock.today() + dt.timedelta(days=40))
    Carrier.objects.filter(pk=old.pk).update(valid_to=end, created_at=clock.now() - dt.timedelta(days=99))
    sent = ordered(world, post, "sent", 1111)
    unsigned = ordered(world, post, "activated_unsigned", 2222, code_set_at=clock.now())
    step = step_of(actor, post)
    assert step
    assert (step.heading, step.action) == ("Slutför aktiveringen av kortet som slutar på 2222", "Fortsätt aktiveringen")
    assert [each.state for each in step.stages] == ["done", "done", "done", "now", "later"]

    Carrier.objects.filter(pk=unsigned.pk).update(state="revoked", ended_at=clock.now(), revocation_reason="replaced")
    step = step_of(actor, post)
    assert step
    assert (step.heading, step.action, step.errand) == ("Aktivera det nya kortet som slutar på 1111", "Aktivera kort", "Kortbyte")
    assert step.text.startswith("Elva ska ha med sig kortet och en giltig svensk id-handling. Kortet ska aktiveras senast")
    assert [each.state for each in step.stages] == ["done", "done", "now", "later", "later"]
    assert step.stages[2].note == "90 dagar kvar"

    Carrier.objects.filter(pk=sent.pk).update(state="revoked", ended_at=clock.now(), revocation_reason="returned")
    Carrier.objects.filter(pk=unsigned.pk).update(created_at=clock.now() - dt.timedelta(days=9))
    CardOrder.objects.filter(items__carrier=sent).update(state="returned")
    step = step_of(actor, post)
    assert step
    assert (step.errand, step.heading, step.post) == ("Försändelsen kom i retur", "Beställ ett nytt kort", True)
    assert heading(world.officer(role=Role.READER), post) == "", "only for those who may"

    draft = OrderDraft.objects.create(
        person=post.person, owner_ref=actor.ref, post=post, article_id="631", created_at=clock.now(), updated_at=clock.now()
    )
    assert heading(actor, post) == "Fortsätt beställningen", "which orders the same card"
    reader = world.officer(role=Role.READER)
    OrderDraft.objects.filter(pk=draft.pk).update(owner_ref=reader.ref)
    assert heading(reader, post) == "", "who may no longer order"
    draft.delete()
    Carrier.objects.filter(pk=sent.pk).update(ended_at=clock.now() - dt.timedelta(days=92))
    step = step_of(actor, post)
    assert step
    assert (step.errand, step.heading) == ("Kort i bruk går ut om 39 dagar", "Beställ ett nytt kort")

    Carrier.objects.filter(pk=old.pk).update(valid_to=end + dt.timedelta(days=300))
    Eid.objects.filter(carrier=old).update(valid_to=end)
    step = step_of(actor, post)
    assert step
    assert step.errand == "SITHS eID i Regionen går ut om 39 dagar"
    page = person_view(actor=actor, person_id=post.person_id)
    handed_out = [dataclasses.replace(each, code="reserve_card") for each in page.carriers]
    assert next_step(dataclasses.replace(page, carriers=handed_out)) is None, "a reserve card is for a short time"
    Eid.objects.filter(carrier=old).update(valid_to=end + dt.timedelta(days=300))
    assert step_of(actor, post) is None


def test_a_revocation_is_proposed_for_the_deceased_and_nothing_to_who_may_not(world: Any) -> None:
    post = world.post()
    ordered(world, post, "sent", 1111)
    other = ordered(world, post, "activated_unsigned", 2222, code_set_at=clock.now())
    for role, proposed in ((Role.ID_ADMINISTRATOR, True), (Role.READER, False), (Role.REVOKER, False)):
        assert bool(heading(world.officer(role=role), post)) is proposed
    Person.objects.filter(pk=post.person_id).update(deceased=True)
    step = step_of(world.officer(), post)
    assert step
    assert (step.heading, step.url) == ("Spärra allt som Prov har", reverse("person_revoke", args=[post.person_id]))
    Carrier.objects.filter(pk=other.pk).update(state="revoked", ended_at=clock.now(), revocation_reason="deceased")
    step = step_of(world.officer(), post)
    assert step
    assert (step.heading, step.action, step.post) == ("Spärra kortet som slutar på 1111", "Spärra kort", False)
    assert heading(world.officer(role=Role.READER), post) == ""


def test_every_function_has_a_group_and_an_icon(world: Any) -> None:
    post = world.post()
    ordered(world, post, "sent", 1111)
    ordered(world, post, "ordered", 2222)
    page = person_view(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), person_id=post.person_id)
    of_eids = [each for carrier in page.carriers for eid in carrier.eids for each in eid.functions]
    offered = [*page.functions, *(each for carrier in page.carriers for each in carrier.functions), *of_eids]
    assert all(each.icon for each in offered)
    groups = person_functions.grouped(offered)
    assert [group.heading for group in groups] == ["Beställ", "Hjälp innehavaren", "Se efter"]
    assert sum(len(group.functions) for group in groups) == len(offered)


def test_a_lost_card_is_reported_by_the_holders_words(world: Any) -> None:
    actor, post = world.officer(), world.post()

    def lost() -> list[tuple[str, bool]]:
        page = person_view(actor=actor, person_id=post.person_id)
        phones = [dataclasses.replace(each, is_card=False) for each in page.carriers]
        assert person_functions.lost_card(post.person_id, phones) == []
        return [(each.url, each.allowed) for each in person_functions.lost_card(post.person_id, [*page.carriers, *phones])]

    assert lost() == []
    world.order(post)
    assert lost() == [], "nobody can lose a card that the supplier has"
    carrier = ordered(world, post, "sent", 1111)
    assert lost() == [(f"/sok/barare/{carrier.pk}/sparra/?orsak=forlorat", True)]
    ordered(world, post, "sent", 2222)
    assert lost() == [(f"/sok/person/{post.person_id}/#kort", True)]


def test_each_kind_of_carrier_has_a_name_in_each_of_its_states() -> None:
    from issuance.carriers.domain.carrier_states import CarrierState
    from issuance.person_page.queries import carrier_words

    names = {(kind.code, state): carrier_words.name(kind.code, state) for kind in kinds.all_kinds() for state in CarrierState}
    assert names["ordinary_card", CarrierState.ACTIVE] == "Kort i bruk"
    assert names["reserve_card", CarrierState.IN_STOCK] == "Reservkort i lager"
    assert names["mobile_eid", CarrierState.ACTIVE] == "Mobilt SITHS i bruk"
    assert carrier_words.monogram("Region Ost, vård") == "RO"
