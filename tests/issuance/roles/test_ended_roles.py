"""Activations and drafts of orders end when the last day of the clerk's role has passed, by a sweeper (S06)."""

import datetime as dt
from typing import Any

import pytest

from issuance import tasks
from issuance.activation.models import EidAppTransaction
from issuance.authz import Role
from issuance.housekeeping.services import deadlines
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services import drafts
from issuance.records.models.events import Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock
from tests.issuance.activated import identify, sent_card

pytestmark = pytest.mark.usefixtures("demo_pki")
SECOND = dt.timedelta(seconds=1)


def ends_at(clerk: Any, moment: dt.datetime) -> None:
    RoleGrant.objects.filter(person_id=clerk.person_id).update(valid_to=moment)


def states() -> tuple[list[str], list[str]]:
    return list(EidAppTransaction.objects.values_list("state", flat=True)), list(
        OrderDraft.objects.values_list("state", flat=True)
    )


def test_what_was_begun_ends_with_the_role_and_is_in_the_history(world: Any) -> None:
    clerk, made = world.officer(), sent_card(world)
    opened = identify(world, made)
    draft = drafts.start(actor=clerk, person_id=world.post().person_id)
    end = clock.now() + 5 * SECOND
    ends_at(clerk, end)
    with clock.moved_to(end - SECOND):
        tasks.end_transactions()
        assert states() == (["created"], ["open"])
    with clock.moved_to(end):
        assert deadlines.run(dry_run=True).roles_ended == 2
        assert states() == (["created"], ["open"])
        tasks.end_transactions()
        assert states() == (["failed"], ["abandoned"])
        assert deadlines.run().roles_ended == 0
    for kind, row, action in (
        ("transaction", opened.transaction, "transaction.failed"),
        ("order_draft", draft, "order_draft.abandoned"),
    ):
        event = Event.objects.get(subject_type=kind, subject_ref=str(row.pk), action=action)
        assert event.actor_ref == "system:role-ended"
    assert made.fresh().state == "sent"


def test_what_another_role_reaches_goes_on(world: Any) -> None:
    clerk = world.officer()
    person, elsewhere = world.post().person, world.post(world.city).person
    RoleGrant.objects.create(person_id=clerk.person_id, role="id_administrator", organisation=world.city, valid_from=clock.now())
    both = actor_of_person(clerk.person_id)
    for each in (person, elsewhere):
        drafts.start(actor=both, person_id=each.id)
    end = clock.now() + SECOND
    RoleGrant.objects.filter(person_id=clerk.person_id, organisation=world.region).update(valid_to=end)
    with clock.moved_to(end):
        assert deadlines.run().roles_ended == 1
    assert OrderDraft.objects.get(state="open").person == elsewhere


def test_overdue_training_ends_nothing(world: Any) -> None:
    clerk = world.officer()
    drafts.start(actor=clerk, person_id=world.post().person_id)
    late = clock.now() + dt.timedelta(days=40)
    RoleGrant.objects.create(
        person_id=clerk.person_id, role=Role.READER.value, organisation=world.city, valid_from=clock.now(), valid_to=late - SECOND
    )
    with clock.moved_to(late):
        assert deadlines.run().roles_ended == 0
    assert OrderDraft.objects.get().state == "open"
