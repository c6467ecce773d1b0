"""Card customisations and articles as data: what may be said of them, who verifies, what ends a verification (ADR 0189)."""

import datetime as dt
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from authn.models import ServiceClient
from issuance.articles.models import Article
from issuance.articles.services.articles import ArticleData, edit_article, register_article
from issuance.authz import Actor, Role
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisation_requests import use_generic_customisation_in_area
from issuance.customisations.services.customisations import (
    CustomisationData,
    Seen,
    edit_customisation,
    missing,
    register_customisation,
    verify_customisation,
)
from issuance.customisations.services.effective import effective_customisations
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import order_checks
from issuance.organisations.models import Organisation
from issuance.records.models.events import Event
from issuance.records.services.editing import Outdated
from issuance.suppliers.services import supplier_intake
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.issuance.world import LOGOTYPE, SETUP


def own(world: Any) -> CardCustomisation:
    return CardCustomisation.objects.get(organisations=world.region)


def unverified(world: Any, **values: Any) -> CardCustomisation:
    CardCustomisation.objects.filter(organisations=world.region).update(verified_at=None, verified_by_ref="", **values)
    return own(world)


def generic() -> CardCustomisation:
    return CardCustomisation.objects.create(
        supplier_ref="bureau",
        customisation_id="1000000000",
        name="SITHS eID",
        issuer_number="1000",
        generic=True,
        verified_at=clock.now(),
    )


def edit(world: Any, *, version: int = 1, **changes: str) -> CardCustomisation:
    row = own(world)
    data = CustomisationData(**{name: getattr(row, name) for name in CustomisationData.__dataclass_fields__} | changes)
    return edit_customisation(
        actor=world.officer(role=Role.MASTER_DATA_ADMIN), customisation_id=row.id, version=version, data=data
    )


class TestVerification:
    """The issuer verifies what is whole and what he saw."""

    def test_with_date_and_name_and_one_event(self, world: Any) -> None:
        issuer, row = world.officer(role=Role.RESPONSIBLE_ISSUER), unverified(world)
        for _ in range(2):
            row = verify_customisation(actor=issuer, customisation_id=row.id, seen=Seen(row.version, row.logotype_id or ""))
        assert row.verified_by_ref == issuer.ref
        event = Event.objects.get(action="customisation.verified", actor_ref=issuer.ref)
        assert event.facts["organisation"] == str(world.region.id)
        assert event.facts["logotype_sha256"] == row.logotype_id

    @pytest.mark.parametrize("part", ["logotype", "issuer_number", "back_text"])
    def test_not_what_lacks_something(self, world: Any, part: str) -> None:
        row = unverified(world, **{part: None if part == "logotype" else ""})
        assert missing(row) == (part,)
        with pytest.raises(Conflict, match="customisation-incomplete"):
            verify_customisation(actor=SETUP, customisation_id=row.id)

    def test_not_what_was_changed_since_it_was_seen(self, world: Any) -> None:
        row = unverified(world)
        for seen in (Seen(row.version + 1, row.logotype_id or ""), Seen(row.version, "0" * 64)):
            with pytest.raises(Conflict, match="changed-meanwhile"):
                verify_customisation(actor=SETUP, customisation_id=row.id, seen=seen)
        assert own(world).verified_at is None

    def test_by_the_issuer_and_the_deputy_alone(self, world: Any) -> None:
        row = unverified(world)
        for role in (Role.MASTER_DATA_ADMIN, Role.GLOBAL_READER, Role.ID_ADMINISTRATOR, Role.READER):
            with pytest.raises(Forbidden):
                verify_customisation(actor=world.officer(role=role), customisation_id=row.id)
        stranger = world.officer(world.stranger, Role.RESPONSIBLE_ISSUER)
        with pytest.raises(NotFound):
            verify_customisation(actor=stranger, customisation_id=row.id)
        deputy = world.officer(role=Role.DEPUTY_ISSUER)
        assert verify_customisation(actor=deputy, customisation_id=row.id).verified_at is not None


class TestEdits:
    """The administration changes customisations against a version."""

    @pytest.mark.parametrize(("field", "ends"), [("name", False), ("issuer_number", True), ("back_text", True)])
    def test_another_print_ends_the_verification(self, world: Any, field: str, ends: bool) -> None:
        edit(world, **{field: "1550"})
        row = own(world)
        assert (getattr(row, field), row.version, row.verified_at is None) == ("1550", 2, ends)
        event = Event.objects.get(action="customisation.changed")
        assert event.facts["before"].keys() >= {field}
        assert ("verified_at" in event.facts["after"]) is ends
        assert event.facts["organisation"] == str(world.region.id)
        if ends:
            with pytest.raises(Conflict, match="customisation-not-verified"):
                order_checks.require_customisation(world.region)
        else:
            assert order_checks.require_customisation(world.region) == row

    def test_another_supplier_ends_the_verification_and_the_first_reads_it_until_its_cards_are_sent(self, world: Any) -> None:
        ServiceClient.objects.create(client_ref="press", kind="supplier", name="Tryckeriet")
        order, number = world.order(), own(world).customisation_id
        edit(world, supplier_ref="press")
        assert own(world).verified_at is None
        for supplier in ("bureau", "press"):
            assert supplier_intake.customisation(client_ref=supplier, customisation_id=number) == own(world)
        with pytest.raises(Forbidden, match="customisation-of-another"):
            supplier_intake.put_logotype(
                client_ref="bureau", customisation_id=number, png=LOGOTYPE, sha256=sha256_hex(LOGOTYPE), check=lambda _row: None
            )
        CardOrder.objects.filter(pk=order.pk).update(state="sent")
        with pytest.raises(NotFound):
            supplier_intake.customisation(client_ref="bureau", customisation_id=number)

    def test_the_same_again_changes_nothing_and_a_stale_edit_is_told(self, world: Any) -> None:
        edit(world)
        assert own(world).version == 1
        edit(world, name="Ny")
        with pytest.raises(Outdated):
            edit(world, version=1, name="Nyare")

    @pytest.mark.parametrize(
        ("field", "value"),
        [("name", " "), ("issuer_number", "154"), ("issuer_number", "١٥٤٩"), ("back_text", "a\n" * 8 + "b"),
         ("back_text", "x" * 46), ("back_text", "a\x1bb")],
    )  # fmt: skip
    def test_what_cannot_be_printed_is_refused_at_its_field(self, world: Any, field: str, value: str) -> None:
        with pytest.raises(Invalid) as refused:
            edit(world, **{field: value})
        assert list(refused.value.fields) == [field]

    def test_by_the_administration_alone(self, world: Any) -> None:
        for role in (Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, Role.GLOBAL_READER):
            with pytest.raises(Forbidden):
                edit_customisation(
                    actor=world.officer(role=role), customisation_id=own(world).id, version=1, data=CustomisationData("Min")
                )

    def test_a_new_one_is_asked_for_whole_and_only_once(self, world: Any) -> None:
        given = {"actor": SETUP, "name": "Kliniken", "issuer_number": "", "back_text": "", "supplier_ref": "bureau"}
        with pytest.raises(Invalid) as wrong:
            register_customisation(**given | {"name": ""}, organisation_id=world.clinic.id, customisation_id="123")
        assert set(wrong.value.fields) == {"customisation_id", "name"}
        with pytest.raises(Conflict) as taken:
            register_customisation(**given, organisation_id=world.clinic.id, customisation_id="7837803902")
        assert list(taken.value.fields) == ["customisation_id"]
        register_customisation(**given, organisation_id=world.clinic.id, customisation_id="7837803999")
        with pytest.raises(Conflict, match="pending-customisation"):
            register_customisation(**given, organisation_id=world.clinic.id, customisation_id="7837803998")


class TestGenericInAnArea:
    """`use_generic_customisation_in_area`: at the top wherever none holds, in one go."""

    @staticmethod
    def use(world: Any, actor: Actor | None = None) -> list[UUID]:
        actor = actor or world.officer(role=Role.RESPONSIBLE_ISSUER)
        return use_generic_customisation_in_area(actor=actor, area_id=world.area.id)

    def test_at_the_top_where_none_holds_with_an_event_each(self, world: Any) -> None:
        row = generic()
        assert self.use(world) == []
        Organisation.objects.exclude(pk=world.city.pk).update(customisation=None)
        version = Organisation.objects.get(pk=world.region.pk).version
        assert self.use(world) == [world.region.id]
        world.region.refresh_from_db()
        assert (world.region.customisation_id, world.region.version) == (row.id, version + 1)
        event = Event.objects.get(action="organisation.changed", facts__after__customisation_id=str(row.id))
        assert (event.subject_type, event.subject_ref) == ("organisation", str(world.region.id))
        assert event.facts == {
            "version": version + 1,
            "before": {"customisation_id": None},
            "after": {"customisation_id": str(row.id)},
        }
        held = effective_customisations([world.clinic, world.city, world.stranger])
        assert held[world.clinic.id] == row
        assert held[world.city.id] != row
        assert world.stranger.id not in held
        assert self.use(world) == []

    def test_an_ended_one_is_left_alone(self, world: Any) -> None:
        generic()
        Organisation.objects.filter(pk=world.city.pk).update(customisation=None, closed_at=clock.now())
        assert self.use(world) == []

    def test_more_organisations_cost_no_more_queries(self, world: Any) -> None:
        generic()
        actor, spent = world.officer(role=Role.RESPONSIBLE_ISSUER), []
        for rows in ([world.city], [world.city, world.region]):
            Organisation.objects.filter(pk__in=[row.pk for row in rows]).update(customisation=None)
            with CaptureQueriesContext(connection) as queries:
                assert len(self.use(world, actor)) == len(rows)
            spent.append(len(queries))
        assert spent[0] == spent[1]

    def test_not_without_a_verified_generic_one(self, world: Any) -> None:
        Organisation.objects.update(customisation=None)
        for _ in range(2):
            with pytest.raises(Conflict, match="no-generic"):
                self.use(world)
            told = {"generic": True, "name": "A", "supplier_ref": "bureau"}
            CardCustomisation.objects.update_or_create(customisation_id="1000000000", defaults=told)
        assert not Organisation.objects.exclude(customisation=None).exists()

    def test_who_may(self, world: Any) -> None:
        for actor, error in (
            (world.officer(role=Role.MASTER_DATA_ADMIN), Forbidden),
            (world.officer(role=Role.GLOBAL_READER), Forbidden),
            (world.officer(world.stranger, Role.RESPONSIBLE_ISSUER), NotFound),
            (world.officer(role=Role.DEPUTY_ISSUER), NotFound),
        ):
            with pytest.raises(error):
                self.use(world, actor)


class TestArticles:
    """The catalogue is data; what has been ordered stays what it was."""

    NEW = ArticleData("777", " Liggande  kort ", "ordinary", "landscape", True, False, dt.date(2026, 1, 1), generation="7")

    def edit(self, world: Any, code: str, *, version: int = 1, **changes: Any) -> Article:
        row = Article.objects.get(pk=code)
        values = {name: getattr(row, name) for name in ArticleData.__dataclass_fields__} | changes
        return edit_article(
            actor=world.officer(role=Role.MASTER_DATA_ADMIN), code=code, version=version, article=ArticleData(**values)
        )

    def test_a_new_one_in_normal_form_and_once(self, world: Any) -> None:
        admin = world.officer(role=Role.MASTER_DATA_ADMIN)
        row = register_article(actor=admin, article=self.NEW)
        assert (row.code, row.name, row.generation) == ("777", "Liggande kort", "7")
        assert register_article(actor=admin, article=self.NEW) == row
        assert Event.objects.filter(action="article.registered").count() == 1
        with pytest.raises(Conflict) as taken:
            register_article(actor=admin, article=replace(self.NEW, photo=False))
        assert list(taken.value.fields) == ["number"]
        variant = register_article(actor=admin, article=replace(self.NEW, registered_mail=True))
        assert variant.code == "777-REK"

    @pytest.mark.parametrize(
        ("field", "value"),
        [("number", "7A7"), ("name", ""), ("kind", "gold"), ("orientation", "round"), ("assurance_level", 4),
         ("generation", "x" * 21), ("valid_to", dt.date(2025, 12, 31)), ("valid_from", dt.date(26, 1, 1)),
         ("valid_to", dt.date.max)],
    )  # fmt: skip
    def test_what_is_wrong_is_told_at_its_field(self, world: Any, field: str, value: Any) -> None:
        with pytest.raises(Invalid) as refused:
            register_article(actor=SETUP, article=replace(self.NEW, **{field: value}))
        assert list(refused.value.fields) == [field]

    def test_a_slip_of_a_day_is_refused_when_it_is_made_and_never_after(self, world: Any) -> None:
        with pytest.raises(Invalid) as refused:
            self.edit(world, "610", valid_from=dt.date(202, 1, 1), valid_to=dt.date.max)
        assert set(refused.value.fields) == {"valid_from", "valid_to"}
        Article.objects.filter(pk="610").update(valid_from=dt.date(202, 1, 1))
        assert self.edit(world, "610", name="Nytt").name == "Nytt"

    def test_an_edit_is_an_event_with_before_and_after(self, world: Any) -> None:
        row = self.edit(world, "610", name="Stående kort", photo=False)
        assert (row.version, row.photo) == (2, False)
        facts = Event.objects.get(action="article.changed").facts
        assert facts["before"] == {"name": "Kort", "photo": True}
        with pytest.raises(Outdated):
            self.edit(world, "610", version=1, name="Kort")

    def test_what_has_been_ordered_stays_what_it_was(self, world: Any) -> None:
        world.order()
        for change in ({"photo": True}, {"kind": "student"}, {"orientation": "portrait"}, {"assurance_level": 2}):
            with pytest.raises(Conflict) as refused:
                self.edit(world, "631", **change)
            assert list(refused.value.fields) == list(change)
        assert self.edit(world, "631", name="Kort utan foto", valid_to=clock.today()).version == 2

    def test_the_first_day_of_what_has_been_ordered_moves_no_later(self, world: Any) -> None:
        """Orders would lie before it, and who may order it could not."""
        first, day = Article.objects.get(pk="631").valid_from, dt.timedelta(days=1)
        later = self.edit(world, "631", valid_from=clock.today() + day)
        earlier = self.edit(world, "631", version=later.version, valid_from=first)
        world.order()
        for moved in (first + day, clock.today() + day):
            with pytest.raises(Conflict, match="article-ordered") as refused:
                self.edit(world, "631", version=earlier.version, valid_from=moved)
            assert list(refused.value.fields) == ["valid_from"]
        assert self.edit(world, "631", version=earlier.version, valid_from=first - day).valid_from == first - day

    def test_what_an_edit_cannot_do(self, world: Any) -> None:
        yesterday = clock.today() - dt.timedelta(days=1)
        for change in ({"number": "611"}, {"registered_mail": True}, {"valid_to": yesterday}):
            with pytest.raises(Invalid):
                self.edit(world, "610", **change)
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        with pytest.raises(Forbidden):
            register_article(actor=issuer, article=self.NEW)
        with pytest.raises(Forbidden):
            edit_article(actor=issuer, code="610", version=1, article=self.NEW)
        with pytest.raises(NotFound):
            edit_article(actor=SETUP, code="999", version=1, article=self.NEW)
