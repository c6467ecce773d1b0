"""The tree and what is configured on it: who may, what is refused, and that paths always follow the tree."""

import datetime as dt
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from issuance.articles.models import SubscriptionFee
from issuance.articles.services.fees import set_subscription_fee
from issuance.authz import Action, Role
from issuance.offices.models import Office
from issuance.offices.services import OfficeData, close_office, connect_office, create_office, edit_office
from issuance.organisations.models import Organisation
from issuance.organisations.services.areas import create_area, edit_area
from issuance.organisations.services.moving import move_organisation
from issuance.organisations.services.organisations import create_organisation
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Post
from issuance.people.queries.scope_check import scope_faults
from issuance.receipt_texts.services import set_receipt_text
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.at_once import run_at_once
from tests.issuance.world import SETUP


def test_paths_follow_the_tree_after_create_and_move(world: Any) -> None:
    ward = World.below(world.clinic, world)
    assert ward.scope_path.startswith(world.clinic.scope_path)
    before = world.clinic.scope_path
    move_organisation(actor=SETUP, organisation_id=world.clinic.id, parent_id=world.stranger.id)
    for row in (world.clinic, ward):
        row.refresh_from_db()
        assert row.scope_path.startswith(world.stranger.scope_path)
        assert row.area_id == world.stranger.area_id
    assert not Organisation.objects.filter(scope_path__startswith=before).exists()
    assert scope_faults().ok
    assert Event.objects.get(action="organisation.moved").facts["before"]["scope_path"] == before


class World:
    """More organisations than the usual ones."""

    @staticmethod
    def below(parent: Organisation, world: Any) -> Organisation:
        return world.organisation("Avdelning", "TST2321000131-2000", "2321000131", area=world.area, parent=parent)


def test_moving_takes_people_out_of_one_scope_and_into_another(world: Any) -> None:
    post = world.post(world.clinic)
    regional, strange = world.officer(world.region), world.officer(world.stranger)
    move_organisation(actor=SETUP, organisation_id=world.clinic.id, parent_id=world.stranger.id)
    assert not Post.objects.visible_to(regional).filter(pk=post.pk).exists()
    assert Post.objects.visible_to(strange).filter(pk=post.pk).exists()
    move_organisation(actor=SETUP, organisation_id=world.clinic.id, parent_id=None, area_id=world.area.id)
    assert not Post.objects.visible_to(regional).filter(pk=post.pk).exists()  # beside the region now, not below it
    assert Post.objects.visible_to(world.officer(world.region, Role.RESPONSIBLE_ISSUER)).filter(pk=post.pk).exists()


def test_an_organisation_cannot_come_below_itself(world: Any) -> None:
    for target in (world.clinic, world.region):
        with pytest.raises(Conflict, match="organisation-below-itself"):
            move_organisation(actor=SETUP, organisation_id=world.region.id, parent_id=target.id)
    assert scope_faults().ok


def test_who_makes_what(world: Any) -> None:
    issuer, deputy = world.officer(role=Role.RESPONSIBLE_ISSUER), world.officer(role=Role.DEPUTY_ISSUER)
    arguments = {"area_id": world.area.id, "name": "Ny", "hsa_id": "TST2321000131-3000", "organisation_number": "2321000131"}
    with pytest.raises(Forbidden):
        create_organisation(actor=issuer, **arguments)
    with pytest.raises(Forbidden):
        create_organisation(actor=deputy, parent_id=world.region.id, **arguments)
    with pytest.raises(NotFound):
        create_organisation(actor=issuer, parent_id=world.stranger.id, **arguments)
    made = create_organisation(actor=issuer, parent_id=world.region.id, **arguments)
    assert made.parent == world.region
    with pytest.raises(NotFound):  # the area lies above the deputy's scope
        create_office(actor=deputy, area_id=world.area.id, name="B", invoice_comment="B")
    office = create_office(actor=issuer, area_id=world.area.id, name="B", invoice_comment="B")
    connect_office(actor=deputy, organisation_id=world.region.id, office_id=office.id)
    connect_office(actor=deputy, organisation_id=world.region.id, office_id=office.id)
    assert Event.objects.filter(action="office.connected", subject_ref=str(office.id)).count() == 1


def test_bad_numbers_and_taken_ids_are_told_by_field(world: Any) -> None:
    arguments: dict[str, Any] = {"actor": SETUP, "area_id": world.area.id, "name": "Ny"}
    with pytest.raises(Invalid) as refused:
        create_organisation(hsa_id="SE12", organisation_number="2321000131", **arguments)
    assert list(refused.value.fields) == ["hsa_id"]
    with pytest.raises(Invalid) as refused:
        create_organisation(hsa_id="SE2321000131-1", organisation_number="2321000132", **arguments)
    assert list(refused.value.fields) == ["organisation_number"]
    with pytest.raises(Conflict, match="organisation-exists"):
        create_organisation(hsa_id=world.region.hsa_id.lower(), organisation_number="2321000131", **arguments)
    with pytest.raises(Conflict, match="area-exists"):
        create_area(actor=SETUP, name="Regionen")


def test_an_office_stays_in_its_area(world: Any) -> None:
    with pytest.raises(Invalid, match="office-of-another-area"):
        connect_office(actor=SETUP, organisation_id=world.stranger.id, office_id=world.office.id)


def test_an_office_is_made_with_its_organisations_or_not_at_all(world: Any) -> None:
    told: dict[str, Any] = {"area_id": world.area.id, "name": "B", "invoice_comment": "B"}
    issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
    before = Event.objects.count()
    for actor in (SETUP, issuer):
        with pytest.raises(Invalid, match="organisation-not-connectable") as refused:
            create_office(actor=actor, organisation_ids=[world.city.id, world.stranger.id], **told)
        assert list(refused.value.fields) == ["organisation"]
    assert Event.objects.count() == before
    assert not Office.objects.filter(name="B").exists()
    wanted = [world.city.id, world.clinic.id, world.city.id]
    office = create_office(actor=issuer, organisation_ids=wanted, **told)
    assert set(office.organisations.all()) == {world.city, world.clinic}
    events = Event.objects.filter(subject_ref=str(office.id)).order_by("id").values_list("action", "facts__organisation")
    first, *connected = events
    assert first[0] == "office.created"
    assert sorted(connected) == sorted(("office.connected", str(pk)) for pk in set(wanted))


def test_a_form_that_is_sent_twice_makes_one_office(world: Any) -> None:
    told: dict[str, Any] = {
        "actor": world.officer(role=Role.RESPONSIBLE_ISSUER),
        "area_id": world.area.id,
        "invoice_comment": "B",
    }
    refused = run_at_once(4, lambda: create_office(name="B", **told))
    assert [(type(error), list(error.fields)) for error in refused if isinstance(error, Conflict)] == [(Conflict, ["name"])] * 3
    office = Office.objects.get(name="B")
    other = create_office(name="C", **told)
    data = OfficeData("B", "B")
    with pytest.raises(Conflict, match="office-exists"):
        edit_office(actor=SETUP, office_id=other.id, version=1, data=data)
    assert edit_office(actor=SETUP, office_id=office.id, version=1, data=data).version == 1
    close_office(actor=SETUP, office_id=office.id)
    assert create_office(name="B", **told) != office


def test_names_of_offices_and_areas_that_differ_in_capital_letters_alone_are_one(world: Any) -> None:
    """Nobody tells them apart in a list; one's own may be written anew."""
    office = create_office(actor=SETUP, area_id=world.area.id, name="Ås (15)", invoice_comment="B")
    with pytest.raises(Conflict, match="office-exists"):
        create_office(actor=SETUP, area_id=world.area.id, name="ÅS (15)", invoice_comment="B")
    data = OfficeData("ÅS (15)", "B")
    assert edit_office(actor=SETUP, office_id=office.id, version=1, data=data).name == "ÅS (15)"
    with pytest.raises(Conflict, match="area-exists"):
        create_area(actor=SETUP, name="REGIONEN")
    own = {"actor": SETUP, "area_id": world.area.id, "invoice_reference": "", "issuing_organisation_id": world.region.id}
    world.area.refresh_from_db()
    assert edit_area(version=world.area.version, name="REGIONEN", **own).name == "REGIONEN"
    with pytest.raises(Conflict, match="area-exists"):
        edit_area(version=world.area.version + 1, name="annan region", **own)


def test_of_two_offices_that_are_renamed_to_one_name_at_once_one_is_refused(world: Any) -> None:
    actor = world.officer(role=Role.RESPONSIBLE_ISSUER)
    made = [create_office(actor=actor, area_id=world.area.id, name=name, invoice_comment="B").id for name in "BCDE"]
    waiting = iter(made)
    refused = run_at_once(4, lambda: edit_office(actor=actor, office_id=next(waiting), version=1, data=OfficeData("F", "B")))
    assert [(type(error), list(error.fields)) for error in refused if isinstance(error, Conflict)] == [(Conflict, ["name"])] * 3
    assert Office.objects.filter(name="F").count() == 1


def test_the_fee_is_a_dated_value(world: Any) -> None:
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for _ in range(2):
        set_subscription_fee(actor=SETUP, organisation_id=world.city.id, charged=True, valid_from=moment)
    with pytest.raises(Conflict, match="fee-already-set"):
        set_subscription_fee(actor=SETUP, organisation_id=world.city.id, charged=False, valid_from=moment)
    assert SubscriptionFee.objects.count() == 1
    assert Event.objects.filter(action="organisation.fee_set").count() == 1


def test_receipt_texts_have_versions(world: Any) -> None:
    for text in ("Ett", "Ett", "Två"):
        row = set_receipt_text(actor=SETUP, organisation_id=world.city.id, regional_addition=text)
    assert (row.version, row.regional_addition) == (2, "Två")


class TestCheckScope:
    """`issuance_check_scope` finds what was written past the services."""

    def test_agreement(self, world: Any) -> None:
        world.order()
        out = StringIO()
        call_command("issuance_check_scope", stdout=out)
        assert "stämmer" in out.getvalue()

    @pytest.mark.parametrize(
        "damage",
        [
            "UPDATE issuance_organisation SET scope_path = scope_path || 'x/' WHERE parent_id IS NOT NULL",
            "UPDATE issuance_organisation SET area_id = (SELECT id FROM issuance_issuingarea WHERE name = 'Annan region')"
            " WHERE parent_id IS NOT NULL",
            "UPDATE issuance_issuingarea SET scope_path = '/aother/' WHERE name = 'Annan region'",
            "DELETE FROM issuance_personscope",
            "UPDATE issuance_personscope SET sort_name = 'Okänd'",
            "UPDATE issuance_post SET ended_at = now()",
        ],
    )
    def test_damage(self, world: Any, damage: str) -> None:
        world.post(world.clinic)
        with connection.cursor() as cursor:
            cursor.execute(damage)
        with pytest.raises(CommandError) as refused:
            call_command("issuance_check_scope", stdout=StringIO())
        assert refused.value.returncode == 1
        assert not scope_faults().ok


def test_a_person_is_visible_where_a_post_or_a_card_is(world: Any) -> None:
    order = world.order(world.post(world.clinic))
    person = order.carrier.person
    assert set(PersonScope.objects.filter(person=person).values_list("organisation", flat=True)) == {world.clinic.id}
    Post.objects.filter(person=person).update(ended_at=clock.now())
    with transaction.atomic():
        PersonScope.objects.refresh([person.id])
    assert person.scopes.count() == 1  # the card keeps the person visible
    assert world.officer(world.clinic).grants
    assert type(person).objects.visible_to(world.officer(world.clinic), Action.VIEW_HISTORY).filter(pk=person.pk).exists()
