"""Edits of what is configured: who may, what is refused, one event with before and after, and two people at the same thing."""

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from authn.models import ServiceClient
from issuance.articles.models import SubscriptionFee
from issuance.articles.services.fees import set_subscription_fee
from issuance.authz import Action, Actor, Role
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import register_generic_customisation, verify_customisation
from issuance.offices.models import OrganisationOffice
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.queries.moving import consequences
from issuance.organisations.services.areas import edit_area
from issuance.organisations.services.moving import move_organisation
from issuance.organisations.services.organisations import OrganisationData, create_organisation, edit_organisation
from issuance.people.queries.scope_check import scope_faults
from issuance.records.models.events import Document, Event
from issuance.records.services.editing import Outdated
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.issuance.world import LOGOTYPE, SETUP, verified_customisation


def data_of(row: Organisation, **changes: str) -> OrganisationData:
    values = {name: getattr(row, name) for name in ("name", "hsa_id", "organisation_number", "country", "county")}
    return OrganisationData(**{**values, **changes})


def edit(row: Organisation, *, actor: Actor = SETUP, version: int | None = None, **changes: str) -> Organisation:
    return edit_organisation(actor=actor, organisation_id=row.id, version=version or row.version, data=data_of(row, **changes))


def admin(world: Any) -> Actor:
    return world.officer(role=Role.MASTER_DATA_ADMIN)


def issuer(world: Any) -> Actor:
    return world.officer(role=Role.RESPONSIBLE_ISSUER)


class TestVersions:
    """The second of two who edit the same thing is told (ADR 0180)."""

    def test_an_edit_is_one_event_with_before_and_after_and_a_new_version(self, world: Any) -> None:
        actor = issuer(world)
        made = edit(world.clinic, actor=actor, name="Nya kliniken", county="Skåne län")
        assert (made.name, made.version) == ("Nya kliniken", 2)
        event = Event.objects.get(action="organisation.changed", subject_ref=str(made.id))
        assert (event.actor_ref, event.subject_type, event.subject_ref) == (actor.ref, "organisation", str(made.id))
        assert event.facts == {
            "version": 2,
            "before": {"name": "Kliniken", "county": ""},
            "after": {"name": "Nya kliniken", "county": "Skåne län"},
        }

    def test_an_issuer_that_another_chose_meanwhile_is_told_and_not_that_none_was_chosen(self, world: Any) -> None:
        IssuingArea.objects.filter(pk=world.area.pk).update(issuing_organisation=None)
        read = IssuingArea.objects.get(pk=world.area.pk).version
        told = {"actor": SETUP, "area_id": world.area.id, "invoice_reference": "", "version": read}
        edit_area(name="Regionen", issuing_organisation_id=world.city.id, **told)
        with pytest.raises(Outdated) as refused:
            edit_area(name="Ny", issuing_organisation_id=None, **told)
        assert refused.value.now["issuing_organisation_id"] == world.city.id

    def test_nothing_changed_is_no_event_and_no_version(self, world: Any) -> None:
        assert edit(world.clinic, name="  Kliniken ", organisation_number="232100-0131").version == 1
        assert edit(world.clinic, version=7).version == 1  # also of another version: there is nothing to decide
        assert not Event.objects.filter(action="organisation.changed", subject_ref=str(world.clinic.id)).exists()

    def test_a_stale_edit_writes_nothing_and_is_told_what_others_did(self, world: Any) -> None:
        other = issuer(world)
        edit(world.clinic, actor=other, name="Ett", county="Skåne län")
        edit(world.clinic, actor=other, version=2, name="Två", county="Skåne län")
        with pytest.raises(Outdated) as refused:
            edit(world.clinic, version=1, name="Mitt")
        told = refused.value
        assert (told.code, told.version) == ("changed-meanwhile", 3)
        assert [(change.actor_ref, change.field, change.before, change.after) for change in told.changes] == [
            (other.ref, "name", "Kliniken", "Ett"),
            (other.ref, "county", "", "Skåne län"),
            (other.ref, "name", "Ett", "Två"),
        ]
        assert (told.now["name"], told.now["county"]) == ("Två", "Skåne län")
        world.clinic.refresh_from_db()
        assert (world.clinic.name, world.clinic.version) == ("Två", 3)

    def test_of_two_at_once_one_wins_and_the_other_is_told(self, world: Any) -> None:
        start, said = threading.Barrier(2, timeout=150), []

        def act(name: str) -> None:
            try:
                start.wait()
                edit(world.clinic, version=1, name=name)
                said.append("saved")
            except Outdated as error:
                said.append(error.changes[0].after)
            finally:
                connection.close()

        threads = [threading.Thread(target=act, args=(name,)) for name in ("Ett", "Två")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(150)
        world.clinic.refresh_from_db()
        assert sorted(said) == sorted(["saved", world.clinic.name])
        assert world.clinic.version == 2
        assert Event.objects.filter(action="organisation.changed", subject_ref=str(world.clinic.id)).count() == 1


class TestAreas:
    """Utgivningsområde (rules/issuance 7.2)."""

    def edit(self, world: Any, *, actor: Actor = SETUP, **changes: Any) -> IssuingArea:
        area = IssuingArea.objects.get(pk=world.area.pk)
        values = {
            "version": area.version, "name": area.name, "invoice_reference": area.invoice_reference,
            "issuing_organisation_id": area.issuing_organisation_id,
        }  # fmt: skip
        return edit_area(actor=actor, area_id=area.id, **{**values, **changes})

    def test_the_administration_alone_edits_it(self, world: Any) -> None:
        for actor, refusal in ((issuer(world), Forbidden), (world.officer(role=Role.DEPUTY_ISSUER), NotFound)):
            with pytest.raises(refusal):
                self.edit(world, actor=actor, name="Mitt")
        assert self.edit(world, actor=admin(world), name="Regionen Nord").name == "Regionen Nord"

    def test_another_issuer_is_one_of_its_own_top_organisations(self, world: Any) -> None:
        assert self.edit(world, issuing_organisation_id=world.city.id).issuing_organisation_id == world.city.id
        facts = Event.objects.filter(action="area.changed").latest("id").facts
        assert facts["after"] == {"issuing_organisation_id": str(world.city.id)}
        for wrong in (world.clinic.id, world.stranger.id, None):
            with pytest.raises(Invalid) as refused:
                self.edit(world, issuing_organisation_id=wrong)
            assert list(refused.value.fields) == ["issuing_organisation"]

    def test_a_name_that_is_taken_or_no_name_is_told_at_the_field(self, world: Any) -> None:
        for name, refusal in (("Annan region", Conflict), (" ", Invalid), ("x" * 101, Invalid), ("a\u202eb", Invalid)):
            with pytest.raises(refusal) as refused:
                self.edit(world, name=name)
            assert list(refused.value.fields) == ["name"]
        assert IssuingArea.objects.get(pk=world.area.pk).name == "Regionen"


class TestOrganisations:
    """Organisation and Underorganisation (rules/issuance 7.3, 7.4)."""

    def test_a_top_organisation_is_the_administrations_a_sub_organisation_the_issuers(self, world: Any) -> None:
        with pytest.raises(Forbidden):
            edit(world.region, actor=issuer(world), name="Min")
        for role, refusal in ((Role.DEPUTY_ISSUER, Forbidden), (Role.READER, Forbidden), (Role.ID_ADMINISTRATOR, Forbidden)):
            with pytest.raises(refusal):
                edit(world.clinic, actor=world.officer(role=role), name="Min")
        with pytest.raises(NotFound):
            edit(world.stranger, actor=issuer(world), name="Min")
        assert edit(world.clinic, actor=issuer(world), name="Ny").name == "Ny"
        assert edit(world.region, actor=admin(world), name="Ny region").name == "Ny region"

    def test_every_wrong_field_is_told_at_once(self, world: Any) -> None:
        with pytest.raises(Invalid) as refused:
            edit(world.clinic, name="", hsa_id="SE12", organisation_number="2321000132", country="Sverige", county="Skånes län")
        assert set(refused.value.fields) == {"name", "hsa_id", "organisation_number", "country", "county"}

    def test_certificates_name_no_country_that_there_is_not(self, world: Any) -> None:
        assert edit(world.clinic, country=" gb").country == "GB"
        for country in ("UK", "ZZ", "S1", "SEE"):
            with pytest.raises(Invalid) as refused:
                edit(world.clinic, version=2, country=country)
            assert list(refused.value.fields) == ["country"], country

    def test_a_name_fits_in_a_certificate(self, world: Any) -> None:
        assert edit(world.clinic, name="A\u030a" * 64).name == "Å" * 64
        with pytest.raises(Invalid) as refused:
            edit(world.clinic, version=2, name="Å" * 65)
        assert list(refused.value.fields) == ["name"]

    def test_another_organisations_hsa_id_in_any_case_is_refused_at_the_field(self, world: Any) -> None:
        with pytest.raises(Conflict) as refused:
            edit(world.clinic, hsa_id=world.city.hsa_id.lower())
        assert list(refused.value.fields) == ["hsa_id"]
        assert edit(world.clinic, hsa_id=world.clinic.hsa_id.lower()).version == 2  # its own in another case may be

    def test_a_rename_leaves_scope_as_it_was(self, world: Any) -> None:
        before = world.clinic.scope_path
        assert edit(world.clinic, name="Något helt annat").scope_path == before
        assert scope_faults().ok

    def test_an_area_has_one_issuer_which_is_no_sub_organisation(self, world: Any) -> None:
        arguments: dict[str, Any] = {
            "actor": SETUP, "area_id": world.area.id, "name": "Ny", "hsa_id": "TST2321000131-3000",
            "organisation_number": "2321000131", "issuing": True,
        }  # fmt: skip
        with pytest.raises(Conflict, match="area-has-issuer"):
            create_organisation(**arguments)
        with pytest.raises(Invalid, match="issuing"):
            create_organisation(**arguments, parent_id=world.region.id)
        assert not Organisation.objects.filter(name="Ny").exists()

    def test_the_generic_card_customisation_is_chosen_for_sub_organisations(self, world: Any) -> None:
        arguments: dict[str, Any] = {
            "actor": issuer(world), "area_id": world.area.id, "name": "Privat", "hsa_id": "TST2321000131-3000",
            "organisation_number": "2321000131", "parent_id": world.region.id, "generic_customisation": True,
        }  # fmt: skip
        with pytest.raises(Invalid) as refused:  # there is none yet
            create_organisation(**arguments)
        assert list(refused.value.fields) == ["customisation"]
        generic = CardCustomisation.objects.create(
            supplier_ref="bureau", customisation_id="1000000000", name="SITHS eID", generic=True
        )
        made = create_organisation(**arguments)
        assert made.customisation == generic
        chosen = {"actor": issuer(world), "organisation_id": made.id, "data": data_of(made)}
        back = edit_organisation(**chosen, version=1, generic_customisation=False)
        assert back.customisation_id is None
        again = edit_organisation(**chosen, version=2, generic_customisation=True)
        assert again.customisation_id == generic.id
        with pytest.raises(Invalid):
            edit_organisation(
                actor=SETUP, organisation_id=world.stranger.id, version=1, data=data_of(world.stranger),
                generic_customisation=True,
            )  # fmt: skip

    def test_who_chose_before_another_gave_an_own_is_told_and_not_obeyed(self, world: Any) -> None:
        register_generic_customisation(
            actor=SETUP,
            customisation_id="1000000000",
            name="Generell",
            issuer_number="1000",
            back_text="Box 1",
            supplier_ref="bureau",
        )
        version, own = world.clinic.version, verified_customisation(world.clinic, "7837803905")
        for choice in (True, False):
            with pytest.raises(Outdated) as told:
                edit_organisation(
                    actor=SETUP, organisation_id=world.clinic.id, version=version, data=data_of(world.clinic),
                    generic_customisation=choice,
                )  # fmt: skip
            after = {change.field: change.after for change in told.value.changes}
            assert after == {"customisation_id": str(own.id), "pending_customisation_id": None}
        world.clinic.refresh_from_db()
        assert world.clinic.customisation_id == own.id

    def test_the_generic_card_customisation_is_the_administrations(self, world: Any) -> None:
        ServiceClient.objects.create(client_ref="bureau", kind="supplier", name="Tryckeriet")
        given = {
            "customisation_id": "1000000000", "name": "SITHS eID", "issuer_number": "1000", "back_text": "Box 1",
            "supplier_ref": "bureau",
        }  # fmt: skip
        with pytest.raises(Forbidden):
            register_generic_customisation(actor=issuer(world), **given)
        row = register_generic_customisation(actor=admin(world), **given)
        with pytest.raises(Conflict, match="generic-exists"):
            register_generic_customisation(actor=admin(world), **given | {"customisation_id": "1000000002"})
        with pytest.raises(IntegrityError), transaction.atomic():
            CardCustomisation.objects.create(supplier_ref="bureau", customisation_id="1000000002", name="En till", generic=True)
        Organisation.objects.filter(pk=world.clinic.pk).update(customisation=row)
        CardCustomisation.objects.filter(pk=row.pk).update(logotype=Document.store(LOGOTYPE, "image/png"))
        with pytest.raises(Forbidden):
            verify_customisation(actor=issuer(world), customisation_id=row.id)
        assert verify_customisation(actor=admin(world), customisation_id=row.id).verified_at is not None

    def test_an_organisation_with_a_customisation_of_its_own_keeps_it(self, world: Any) -> None:
        own = CardCustomisation.objects.create(supplier_ref="bureau", customisation_id="1000000001", name="Egen")
        Organisation.objects.filter(pk=world.clinic.pk).update(customisation=own)
        with pytest.raises(Conflict, match="own-customisation"):
            edit_organisation(
                actor=SETUP, organisation_id=world.clinic.id, version=1, data=data_of(world.clinic), generic_customisation=False
            )


class TestFees:
    """Abonnemangsavgift is a dated value."""

    def fee(self, organisation: Organisation, actor: Actor, day: dt.date, *, charged: bool = True) -> SubscriptionFee:
        moment = dt.datetime.combine(day, dt.time(), clock.STOCKHOLM)
        return set_subscription_fee(actor=actor, organisation_id=organisation.id, charged=charged, valid_from=moment)

    def test_a_month_that_is_over_stays_as_it_was(self, world: Any) -> None:
        first = clock.today().replace(day=1)
        with pytest.raises(Invalid) as refused:
            self.fee(world.city, admin(world), first - dt.timedelta(days=1))
        assert list(refused.value.fields) == ["valid_from"]
        assert str(first) in refused.value.message
        self.fee(world.city, admin(world), first)
        self.fee(world.city, admin(world), first + dt.timedelta(days=100), charged=False)
        assert SubscriptionFee.objects.filter(organisation=world.city).count() == 2

    def test_the_administration_alone_and_not_for_sub_organisations(self, world: Any) -> None:
        with pytest.raises(Forbidden):
            self.fee(world.city, issuer(world), clock.today())
        with pytest.raises(Conflict, match="fee-of-sub-organisation"):
            self.fee(world.clinic, admin(world), clock.today())

    def test_a_new_organisation_has_its_fee_from_the_start(self, world: Any) -> None:
        made = create_organisation(
            actor=admin(world), area_id=world.area.id, name="Ny", hsa_id="TST2321000131-3000",
            organisation_number="2321000131", charged=True,
        )  # fmt: skip
        fee = SubscriptionFee.objects.get(organisation=made)
        assert (fee.charged, fee.valid_from) == (True, clock.start_of_day(made.created_at.astimezone(clock.STOCKHOLM).date()))


class TestMoves:
    """A move carries everything below, and changes reach at once (ADR 0181)."""

    def test_the_issuer_moves_sub_organisations_within_the_area_and_nothing_else(self, world: Any) -> None:
        actor = issuer(world)
        moved = move_organisation(actor=actor, organisation_id=world.clinic.id, parent_id=world.city.id, version=1)
        assert (moved.parent_id, moved.version) == (world.city.id, 2)
        for arguments, refusal in (
            ({"organisation_id": world.clinic.id, "parent_id": world.stranger.id}, NotFound),
            ({"organisation_id": world.clinic.id, "parent_id": None}, Forbidden),
            ({"organisation_id": world.city.id, "parent_id": world.region.id}, Forbidden),
        ):
            with pytest.raises(refusal):
                move_organisation(actor=actor, **arguments)
        assert scope_faults().ok

    def test_an_issuer_of_two_areas_moves_nothing_between_them(self, world: Any) -> None:
        two = Actor(
            "user:x", "user", None, (*issuer(world).grants, *world.officer(world.stranger, Role.RESPONSIBLE_ISSUER).grants)
        )
        with pytest.raises(Forbidden):
            move_organisation(actor=two, organisation_id=world.clinic.id, parent_id=world.stranger.id)

    def test_people_are_counted_as_far_as_the_reader_sees_them(self, world: Any) -> None:
        world.post(world.clinic)
        world.post(world.clinic, protected=True)
        told = {"organisation_id": world.clinic.id, "target": f"organisation:{world.city.id}"}
        trusted = world.officer(role=Role.RESPONSIBLE_ISSUER, protected=True)
        assert [consequences(actor=actor, **told).persons for actor in (issuer(world), trusted)] == [1, 2]

    def test_the_event_tells_both_places(self, world: Any) -> None:
        move_organisation(actor=SETUP, organisation_id=world.clinic.id, parent_id=world.stranger.id)
        facts = Event.objects.get(action="organisation.moved").facts
        assert facts["version"] == 2
        assert facts["before"]["parent_id"] == str(world.region.id)
        assert facts["after"]["area_id"] == str(world.stranger.area_id)

    def test_the_event_of_a_move_within_an_area_tells_of_no_other(self, world: Any) -> None:
        move_organisation(actor=SETUP, organisation_id=world.clinic.id, parent_id=world.city.id)
        facts = Event.objects.get(action="organisation.moved").facts
        assert set(facts["before"]) == set(facts["after"]) == {"parent_id", "scope_path"}

    def test_offices_of_the_old_area_are_left_behind(self, world: Any) -> None:
        assert OrganisationOffice.objects.filter(organisation=world.clinic).exists()
        move_organisation(actor=SETUP, organisation_id=world.clinic.id, parent_id=world.city.id)
        assert OrganisationOffice.objects.filter(organisation=world.clinic).exists()  # the same area
        move_organisation(actor=SETUP, organisation_id=world.clinic.id, parent_id=world.stranger.id)
        assert not OrganisationOffice.objects.filter(organisation=world.clinic).exists()
        event = Event.objects.get(action="office.disconnected")
        assert (event.subject_ref, event.facts) == (str(world.office.id), {"organisation": str(world.clinic.id)})

    def test_who_issues_in_an_area_stays_there(self, world: Any) -> None:
        for target in ({"parent_id": world.city.id}, {"parent_id": None, "area_id": world.stranger.area_id}):
            with pytest.raises(Conflict, match="issuing-organisation-moves"):
                move_organisation(actor=SETUP, organisation_id=world.region.id, **target)

    def test_a_stale_move_is_told_and_the_same_place_again_changes_nothing(self, world: Any) -> None:
        edit(world.clinic, name="Omdöpt")
        with pytest.raises(Outdated) as refused:
            move_organisation(actor=SETUP, organisation_id=world.clinic.id, parent_id=world.city.id, version=1)
        assert [change.after for change in refused.value.changes] == ["Omdöpt"]
        for _ in range(2):
            moved = move_organisation(actor=SETUP, organisation_id=world.clinic.id, parent_id=world.city.id, version=2)
            assert moved.version == 3
        assert Event.objects.filter(action="organisation.moved").count() == 1

    def test_a_tree_may_be_deep_and_ends_in_words(self, world: Any) -> None:
        above, room = world.region, (1000 - len(world.region.scope_path)) // 14
        assert room > 60
        for number in range(room):
            above = world.organisation("Djup", f"TST2321000131-{4000 + number}", "2321000131", area=world.area, parent=above)
        with pytest.raises(Conflict, match="tree-too-deep"):
            world.organisation("För djup", "TST2321000131-6000", "2321000131", area=world.area, parent=above)
        assert scope_faults().ok
        deep = Organisation.objects.filter(name="Djup").order_by("scope_path").first()
        assert deep is not None
        tall = world.organisation("Hög", "TST2321000131-5000", "2321000131", area=world.area, parent=world.city)
        with pytest.raises(Conflict, match="tree-too-deep"):
            move_organisation(actor=SETUP, organisation_id=deep.id, parent_id=tall.id)

    def test_who_is_chosen_as_issuer_while_it_moves_away_is_one_or_the_other(self, world: Any) -> None:
        start, said = threading.Barrier(2, timeout=150), []

        def act(name: str, doing: Callable[[], object]) -> None:
            try:
                start.wait()
                doing()
                said.append(name)
            except (Conflict, Invalid):
                pass
            finally:
                connection.close()

        def choose() -> object:
            area = IssuingArea.objects.get(pk=world.area.pk)
            return edit_area(
                actor=SETUP, area_id=area.pk, version=area.version, name=area.name, invoice_reference="",
                issuing_organisation_id=world.city.id,
            )  # fmt: skip

        def move() -> object:
            return move_organisation(actor=SETUP, organisation_id=world.city.id, parent_id=world.stranger.id)

        threads = [threading.Thread(target=act, args=each) for each in (("chosen", choose), ("moved", move))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(150)
        world.area.refresh_from_db()
        world.city.refresh_from_db()
        chosen, moved = world.area.issuing_organisation_id == world.city.id, world.city.parent_id is not None
        assert (chosen, moved) == (said == ["chosen"], said == ["moved"])
        assert chosen != moved
        assert scope_faults().ok

    def test_reach_follows_at_once(self, world: Any) -> None:
        deputy = world.officer(world.city, Role.DEPUTY_ISSUER)
        seen = Organisation.objects.visible_to(deputy, Action.VIEW_CONFIGURATION)
        assert not seen.filter(pk=world.clinic.pk).exists()
        move_organisation(actor=SETUP, organisation_id=world.clinic.id, parent_id=world.city.id)
        assert seen.all().filter(pk=world.clinic.pk).exists()
