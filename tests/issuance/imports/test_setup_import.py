"""Bulk set-up from files: what a preview tells of each row, and that a file is made by the pages' rules, whole or not at all."""

import datetime as dt
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from issuance import tasks
from issuance.articles.models import SubscriptionFee
from issuance.articles.services.fees import set_subscription_fee
from issuance.authz import Actor, Role
from issuance.customisations.models import CardCustomisation
from issuance.imports import queries as setup_files
from issuance.imports.domain import SETUP_TABLES, SetupTable
from issuance.imports.models import SetupImport
from issuance.imports.queries import ExportedPart
from issuance.imports.services import SETUP_IMPORTER, SetupPlan
from issuance.offices.models import Office
from issuance.offices.services import OfficeAddress, close_office, connect_office, create_office
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.areas import create_area
from issuance.organisations.services.ending import end_organisation
from issuance.organisations.services.moving import move_organisation
from issuance.people.models.persons import Person, Post
from issuance.records.models.events import Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import role_assignment, role_periods
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound, TooManyRequests
from siths_portal.lib.files import csv_files, workbooks
from siths_portal.lib.files.workbooks import Sheet
from siths_portal.lib.imports.importer import Stale
from siths_portal.lib.imports.planning import MAX_NEW, RowOutcome
from tests import superuser
from tests.issuance.world import SETUP
from tests.waiting import sessions_waiting, wait_for

Cells = dict[str, str]
ORGANISATION = {"name": "Vårdcentralen", "hsa_id": "TST2321000131-2001", "organisation_number": "232100-0131"}
OFFICE = {"name": "Kontor B", "invoice_comment": "B", "area": "Regionen"}


def table(kind: SetupTable, *rows: Cells) -> Sheet:
    columns = [column.field for column in SETUP_TABLES[kind].columns]
    assert not [name for row in rows for name in row if name not in columns]
    return Sheet(SETUP_TABLES[kind].title, SETUP_TABLES[kind].headings, [[row.get(name, "") for name in columns] for row in rows])


def csv(kind: SetupTable, *rows: Cells) -> bytes:
    sheet = table(kind, *rows)
    return csv_files.build(sheet.header, sheet.rows)


def kept(actor: Actor, content: bytes) -> tuple[SetupImport, SetupPlan]:
    row = SETUP_IMPORTER.keep(actor=actor, content=content)
    return row, SETUP_IMPORTER.planned(actor=actor, row=row)


def carried_out(actor: Actor, content: bytes) -> SetupImport:
    row, plan = kept(actor, content)
    return SETUP_IMPORTER.carry_out(actor=actor, import_id=row.pk, sha256=plan.sha256)


def errors(plan: SetupPlan) -> list[tuple[int, str, str]]:
    return [
        (line.row.number, field, message) for line in plan.rows for field, messages in line.errors.items() for message in messages
    ]


def admin(world: Any) -> Actor:
    return world.officer(role=Role.MASTER_DATA_ADMIN)


def issuer(world: Any) -> Actor:
    return world.officer(role=Role.RESPONSIBLE_ISSUER)


def whole(world: Any) -> tuple[bytes, Post]:
    """A file of all tables, whose rows name each other in any order."""
    post = world.post(world.clinic, surname="Ny")
    organisations = [
        {**ORGANISATION, "name": "Mottagningen", "hsa_id": "TST2321000131-2002", "parent": "tst2321000131-2001"},
        {**ORGANISATION, "parent": "TST2321000131-1000", "area": "Regionen", "county": "Gävleborgs län"},
    ]
    address = {
        "recipient_organisation": "Borås", "street_address": "Gatan 1", "postal_code": "50180", "city": "Borås",
    }  # fmt: skip
    offices = [{**OFFICE, **address, "organisations": "TST2321000131-2002, TST2120001561-1000"}]
    roles = [
        {
            "hsa_id": post.hsa_id.lower(), "person": "vem som helst", "role": "id-administratör",
            "organisation": "TST2321000131-2001", "valid_to": "2099-12-31",
        },
    ]  # fmt: skip
    sheets = [
        table(SetupTable.ORGANISATIONS, *organisations),
        table(SetupTable.OFFICES, *offices),
        table(SetupTable.ROLES, *roles),
    ]
    return workbooks.build(sheets), post


class TestCarryingOut:
    """A file of every table, as its preview tells it."""

    def test_all_of_it_by_the_rules_and_with_the_events_of_the_pages(self, world: Any) -> None:
        actor = issuer(world)
        content, post = whole(world)
        row, plan = kept(actor, content)
        assert errors(plan) == []
        assert [line.summary for line in plan.rows] == [
            "Ny organisation under Vårdcentralen",
            "Ny organisation under Regionen",
            "Nytt kontor, kopplas till 2 organisationer",
            "Prov Ny får rollen ID-administratör i Vårdcentralen",
        ]
        assert not Organisation.objects.filter(name="Vårdcentralen").exists()
        done = SETUP_IMPORTER.carry_out(actor=actor, import_id=row.pk, sha256=plan.sha256)
        upper = Organisation.objects.get(name="Vårdcentralen")
        lower = Organisation.objects.get(name="Mottagningen")
        office = Office.objects.get(name="Kontor B")
        assert (upper.parent, lower.parent, upper.county) == (world.region, upper, "Gävleborgs län")
        assert lower.scope_path.startswith(upper.scope_path)
        assert set(office.organisations.all()) == {lower, world.city}
        assert (office.postal_code, office.area) == ("501 80", world.area)
        grant = RoleGrant.objects.get(person=post.person)
        assert (grant.role, grant.organisation, role_periods.last_day_of(grant)) == (
            "id_administrator",
            upper,
            dt.date(2099, 12, 31),
        )
        made = Event.objects.filter(actor_ref=actor.ref).order_by("id").values_list("action", flat=True)
        assert list(made) == [
            "setup_import.read", "organisation.created", "organisation.created", "office.created", "office.connected",
            "office.connected", "role.assigned", "setup_import.carried_out",
        ]  # fmt: skip
        told = Event.objects.get(action="setup_import.carried_out")
        assert {name: told.facts[name] for name in ("organisations", "offices", "connections", "roles")} == {
            "organisations": 2, "offices": 1, "connections": 2, "roles": 1,
        }  # fmt: skip
        assert (done.rows, set(done.made["organisations"])) == ([], {str(upper.pk), str(lower.pk)})
        again, plan = kept(actor, content)
        assert (plan.is_empty, plan.has_errors) == (True, False)
        with pytest.raises(Invalid, match="nothing-to-do"):
            SETUP_IMPORTER.carry_out(actor=actor, import_id=again.pk, sha256=plan.sha256)

    def test_the_administration_sets_up_an_area_with_its_issuer(self, world: Any) -> None:
        create_area(actor=SETUP, name="Nytt område")
        top = {
            "name": "Nya regionen", "hsa_id": "TST5561234567-1000", "organisation_number": "5561234567", "area": "Nytt område",
            "issuing": "Ja", "charged": "Nej",
        }  # fmt: skip
        sub = {**ORGANISATION, "parent": top["hsa_id"]}
        carried_out(admin(world), csv(SetupTable.ORGANISATIONS, sub, top))
        made = Organisation.objects.select_related("area").get(name="Nya regionen")
        assert made.area.issuing_organisation == made
        assert not SubscriptionFee.objects.get(organisation=made).charged

    def test_all_or_nothing_where_a_rule_refuses_what_no_preview_can_know(self, world: Any) -> None:
        actor = issuer(world)
        content, post = whole(world)
        row, plan = kept(actor, content)
        before = Event.objects.count()
        with superuser.cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE unique_violation USING MESSAGE = 'taken'; END $$;"
                " CREATE TRIGGER taken BEFORE INSERT ON issuance_office FOR EACH ROW EXECUTE FUNCTION taken()"
            )
        try:
            with pytest.raises(Conflict) as refused:
                SETUP_IMPORTER.carry_out(actor=actor, import_id=row.pk, sha256=plan.sha256)
        finally:
            with superuser.cursor() as cursor:
                cursor.execute("DROP TRIGGER taken ON issuance_office; DROP FUNCTION taken()")
        assert refused.value.message == "Inget har lästs in. I bladet Kontor, rad 2: Kontoret skapades inte. Försök igen."
        assert not Organisation.objects.filter(name__in=["Vårdcentralen", "Mottagningen"]).exists()
        assert (Event.objects.count(), RoleGrant.objects.filter(person=post.person).exists()) == (before, False)
        SETUP_IMPORTER.carry_out(actor=actor, import_id=row.pk, sha256=plan.sha256)
        assert Organisation.objects.filter(name="Mottagningen").exists()

    def test_two_who_carry_out_one_file_make_it_once(self, world: Any) -> None:
        actor = issuer(world)
        content, _ = whole(world)
        row, plan = kept(actor, content)

        def act(_: int) -> dict[str, Any]:
            try:
                return SETUP_IMPORTER.carry_out(actor=actor, import_id=row.pk, sha256=plan.sha256).made
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(act, range(2))
        assert first == second
        assert Organisation.objects.filter(name="Mottagningen").count() == Office.objects.filter(name="Kontor B").count() == 1
        assert Event.objects.filter(action="setup_import.carried_out").count() == 1

    def test_people_are_locked_in_the_order_in_which_all_lock_them_whatever_the_rows_is(self, world: Any) -> None:
        """So that two who change several of them at once wait for each other, and neither for a deadlock."""
        actor = issuer(world)
        first, second = sorted((world.post(world.clinic) for _ in range(2)), key=lambda post: post.person_id)
        cells = [{"hsa_id": post.hsa_id, "role": "Läs", "organisation": world.clinic.hsa_id} for post in (second, first)]
        row, plan = kept(actor, csv(SetupTable.ROLES, *cells))

        def act() -> None:
            try:
                SETUP_IMPORTER.carry_out(actor=actor, import_id=row.pk, sha256=plan.sha256)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(1) as pool, superuser.cursor("a page") as page:
            page.execute("SELECT FROM issuance_person WHERE id = %s FOR UPDATE", [str(first.person_id)])
            carrying = pool.submit(act)
            wait_for(lambda: sessions_waiting() > 0)
            try:
                page.execute("SELECT FROM issuance_person WHERE id = %s FOR UPDATE NOWAIT", [str(second.person_id)])
            finally:
                page.connection.rollback()
                carrying.result()
        assert RoleGrant.objects.filter(role="reader", person__in=[first.person_id, second.person_id]).count() == 2

    def test_what_changed_since_the_preview_is_looked_at_again(self, world: Any) -> None:
        actor = issuer(world)
        row, plan = kept(actor, csv(SetupTable.OFFICES, OFFICE))
        create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
        with pytest.raises(Stale):
            SETUP_IMPORTER.carry_out(actor=actor, import_id=row.pk, sha256=plan.sha256)
        assert Office.objects.filter(name="Kontor B").count() == 1
        assert SETUP_IMPORTER.planned(actor=actor, row=row).is_empty

    def test_a_right_that_ended_since_the_preview_makes_nothing(self, world: Any) -> None:
        actor = issuer(world)
        row, plan = kept(actor, csv(SetupTable.OFFICES, OFFICE))
        RoleGrant.objects.filter(person=actor.person_id).update(valid_to=clock.now())
        with pytest.raises(Forbidden):
            SETUP_IMPORTER.carry_out(actor=actor_of_person(actor.person_id), import_id=row.pk, sha256=plan.sha256)
        deputy = world.officer(world.clinic, Role.DEPUTY_ISSUER)
        SetupImport.objects.update(owner_ref=deputy.ref)
        with pytest.raises(Stale):
            SETUP_IMPORTER.carry_out(actor=deputy, import_id=row.pk, sha256=plan.sha256)
        assert not Office.objects.filter(name="Kontor B").exists()


_SUB = {**ORGANISATION, "parent": "TST2321000131-1000"}
_TOP = {**ORGANISATION, "area": "Regionen", "charged": "Ja"}
WRONG_ORGANISATIONS: list[tuple[Cells, str, str]] = [
    ({"name": "Bara namn"}, "hsa_id", "HSA-id har fel form."),
    ({**_SUB, "organisation_number": "2321000132"}, "organisation_number", "Organisationsnumret är fel."),
    ({**_SUB, "county": "Nowhere"}, "county", "Välj ett län i listan."),
    ({**_SUB, "parent": "TST2321000131-9999"}, "parent", "Organisationen finns inte, eller"),
    ({**_SUB, "parent": "TST2321000016-1000"}, "parent", "Organisationen finns inte, eller"),
    ({**_SUB, "area": "Annan region"}, "area", "Organisationen ovanför ligger i ett annat"),
    ({**_SUB, "issuing": "Ja"}, "issuing", "En underorganisation kan inte vara utgivande"),
    ({**_SUB, "charged": "Ja"}, "charged", "Underorganisationer räknas med"),
    ({**_SUB, "charged": "kanske"}, "charged", "Skriv Ja eller Nej."),
    ({**_SUB, "customisation": "Generell"}, "customisation", "Det finns ingen generell"),
    ({**_SUB, "customisation": "Annan"}, "customisation", "Skriv Generell eller lämna"),
    ({**_SUB, "parent": ORGANISATION["hsa_id"]}, "parent", "Organisationen ligger under sig själv."),
    ({**_SUB, "hsa_id": "TST2321000016-1000"}, "hsa_id", "HSA-id tillhör redan en annan organisation."),
    ({**_SUB, "hsa_id": "TST2321000131-1004"}, "name", "Finns redan, med ett annat värde: Kliniken."),
    (_TOP, "area", "Din behörighetsroll tillåter inte att du skapar en organisation här."),
    ({**_TOP, "area": "Annan region"}, "area", "Utgivningsområdet finns inte, eller"),
    ({**_TOP, "area": ""}, "area", "Ange utgivningsområdets namn, eller"),
]
WRONG_OFFICES: list[tuple[Cells, str, str]] = [
    ({"name": "Kontor B", "area": "Regionen"}, "invoice_comment", "Skriv den text som ska stå på fakturan."),
    ({**OFFICE, "postal_code": "0501"}, "postal_code", "Skriv postnumret med 5 siffror"),
    ({**OFFICE, "area": "Annan region"}, "area", "Utgivningsområdet finns inte, eller"),
    ({**OFFICE, "area": ""}, "area", "Ange utgivningsområdets namn."),
    ({**OFFICE, "name": "Kontor A"}, "name", "Det finns redan ett kontor med namnet"),
    ({**OFFICE, "name": "KONTOR A"}, "name", "Det finns redan ett kontor med namnet"),
    ({**OFFICE, "organisations": "TST2321000016-1000"}, "organisations", "Organisationen TST2321000016-1000 finns inte, eller"),
    ({**OFFICE, "organisations": "TST2321000131-9999"}, "organisations", "Organisationen TST2321000131-9999 finns inte, eller"),
]


class TestRows:
    """What is wrong with a row stands at its column; nothing of the file is made."""

    def test_organisations(self, world: Any) -> None:
        actor = issuer(world)
        for cells, field, message in WRONG_ORGANISATIONS:
            row, plan = kept(actor, csv(SetupTable.ORGANISATIONS, cells))
            assert [(2, field, True)] == [
                (number, at, text.startswith(message)) for number, at, text in errors(plan) if at == field
            ], (cells, errors(plan))
            with pytest.raises(Invalid, match="rows-wrong"):
                SETUP_IMPORTER.carry_out(actor=actor, import_id=row.pk, sha256=plan.sha256)
        assert Organisation.objects.count() == 4

    def test_organisations_of_one_file(self, world: Any) -> None:
        actor = admin(world)
        plan = kept(actor, csv(SetupTable.ORGANISATIONS, {**_TOP, "charged": ""}, _SUB, {**_SUB, "parent": "TST9"}))[1]
        assert [(number, field) for number, field, _ in errors(plan)] == [(2, "charged"), (3, "hsa_id"), (4, "hsa_id")]
        below = {**_SUB, "hsa_id": "TST2321000131-2002", "parent": _TOP["hsa_id"]}
        plan = kept(actor, csv(SetupTable.ORGANISATIONS, below, {**_TOP, "issuing": "Ja"}))[1]
        assert [(number, field) for number, field, _ in errors(plan)] == [(2, "parent"), (3, "issuing")]
        ring = [{**_SUB, "hsa_id": f"TST2321000131-3{n}", "parent": f"TST2321000131-3{(n + 1) % 3}"} for n in range(3)]
        plan = kept(actor, csv(SetupTable.ORGANISATIONS, *ring))[1]
        assert [text[:31] for _, _, text in errors(plan)] == ["Organisationen ligger under sig"] * 3
        deep = [{**_SUB, "hsa_id": f"TST2321000131-4{n:03}", "parent": f"TST2321000131-4{n - 1:03}"} for n in range(1, 90)]
        plan = kept(actor, csv(SetupTable.ORGANISATIONS, *reversed(deep), {**_SUB, "hsa_id": "TST2321000131-4000"}))[1]
        assert "Organisationen skulle ligga för långt ner." in " ".join(text for _, _, text in errors(plan))

    def test_offices(self, world: Any) -> None:
        actor = issuer(world)
        for cells, field, message in WRONG_OFFICES:
            plan = kept(actor, csv(SetupTable.OFFICES, cells))[1]
            found = [(at, text.startswith(message)) for _, at, text in errors(plan) if at == field]
            assert found == [(field, True)], (cells, errors(plan))
        deputy = world.officer(world.region, Role.DEPUTY_ISSUER)
        plan = kept(deputy, csv(SetupTable.OFFICES, {**OFFICE, "organisations": "TST2120001561-1000"}))[1]
        assert [(field, text[:10]) for _, field, text in errors(plan)] == [("area", "Utgivnings")]
        plan = kept(actor, csv(SetupTable.OFFICES, OFFICE, OFFICE))[1]
        assert errors(plan) == [(3, "name", "Kontoret står på flera rader. Ta bort den ena.")]

    def test_role_holders(self, world: Any, settings: Any) -> None:
        settings.UPLOADS_PER_MINUTE_BY_PERSON = 100  # more files than a person sends in a minute, however fast this runs
        actor = issuer(world)
        ours, theirs = world.post(world.clinic), world.post(world.stranger)
        hidden = world.post(world.clinic, protected=True)
        own = Person.objects.get(pk=actor.person_id).posts.get().hsa_id
        fine = {"hsa_id": ours.hsa_id, "role": "Läs", "organisation": "TST2321000131-1004"}
        wrong: Sequence[tuple[Cells, str, str]] = [
            ({**fine, "hsa_id": theirs.hsa_id}, "hsa_id", "Personen finns inte, eller"),
            ({**fine, "hsa_id": hidden.hsa_id}, "hsa_id", "Personen finns inte, eller"),
            ({**fine, "hsa_id": "TST2321000131-ZZZZ"}, "hsa_id", "Personen finns inte, eller"),
            ({**fine, "hsa_id": own}, "hsa_id", "Du kan inte ge dig själv en roll."),
            ({**fine, "role": "Kung"}, "role", "Skriv rollens namn som i portalen"),
            ({**fine, "role": ""}, "role", "Ange behörighetsroll."),
            ({**fine, "role": "Ansvarig utgivare"}, "organisation", "Rollen gäller inte en organisation."),
            ({**fine, "role": "Ansvarig utgivare", "organisation": "", "area": "Regionen"}, "role", "Din behörighetsroll"),
            ({**fine, "role": "Global Läs", "organisation": ""}, "role", "Din behörighetsroll"),
            ({**fine, "organisation": ""}, "organisation", "Ange organisationens HSA-id."),
            ({**fine, "organisation": "TST2321000016-1000"}, "organisation", "Organisationen finns inte, eller"),
            ({**fine, "organisation": "TST2321000131-9999"}, "organisation", "Organisationen finns inte, eller"),
            ({**fine, "protected_persons": "Ja"}, "protected_persons", "Din behörighetsroll tillåter inte"),
            ({**fine, "valid_from": "i dag"}, "valid_from", "Skriv ett datum"),
            ({**fine, "valid_to": "2020-01-01"}, "valid_to", "Ange en sista dag"),
        ]
        for cells, field, message in wrong:
            plan = kept(actor, csv(SetupTable.ROLES, cells))[1]
            found = [(at, text.startswith(message)) for _, at, text in errors(plan) if at == field]
            assert found == [(field, True)], (cells, errors(plan))
        assert errors(kept(actor, csv(SetupTable.ROLES, fine))[1]) == []
        later = {**fine, "valid_from": "2098-01-01"}
        assert errors(kept(actor, csv(SetupTable.ROLES, {**fine, "valid_to": "2097-12-31"}, later))[1]) == []
        assert errors(kept(actor, csv(SetupTable.ROLES, fine, fine))[1]) == [
            (3, "role", "Rollen står på flera rader. Ta bort den ena.")
        ]
        role_assignment.assign_role(actor=SETUP, person_id=ours.person_id, role=Role.READER, organisation_id=world.clinic.id)
        assert kept(actor, csv(SetupTable.ROLES, fine))[1].is_empty
        assert kept(actor, csv(SetupTable.ROLES, {**fine, "valid_to": "9999-12-31"}))[
            1
        ].is_empty  # as some write that there is no end
        plan = kept(actor, csv(SetupTable.ROLES, {**fine, "valid_to": "2099-01-01"}))[1]
        assert [text[:30] for _, _, text in errors(plan)] == ["Personen har redan rollen där,"]
        Person.objects.filter(pk=ours.person_id).update(deceased=True)
        plan = kept(actor, csv(SetupTable.ROLES, {**fine, "role": "Spärr"}))[1]
        assert [text[:20] for _, _, text in errors(plan)] == ["Personen är avliden "]

    def test_an_organisation_that_is_ended_is_told_as_such(self, world: Any) -> None:
        end_organisation(actor=SETUP, organisation_id=world.clinic.id, reason="Upplagd av misstag")
        ended, told = "TST2321000131-1004", "Organisationen är avslutad."
        itself = {"name": "Kliniken", "hsa_id": ended, "organisation_number": "2321000131"}
        role = {"hsa_id": world.post().hsa_id, "role": "Läs", "organisation": ended}
        for kind, cells, field in (
            (SetupTable.ORGANISATIONS, itself, "hsa_id"),
            (SetupTable.ORGANISATIONS, {**ORGANISATION, "parent": ended}, "parent"),
            (SetupTable.OFFICES, {**OFFICE, "organisations": ended}, "organisations"),
            (SetupTable.ROLES, role, "organisation"),
        ):
            ((_, at, text),) = errors(kept(issuer(world), csv(kind, cells))[1])
            assert (at, text.replace(f" {ended}", "").startswith(told)) == (field, True), text

    def test_whom_the_portal_does_not_know_the_catalogue_is_asked_for(self, world: Any) -> None:
        actor = issuer(world)
        ours, theirs = world.post(world.clinic), world.post(world.stranger)
        hidden = world.post(world.clinic, protected=True)
        forgotten = [ours.hsa_id, theirs.hsa_id]
        for post in (ours, theirs):
            Person.objects.get(pk=post.person_id).scopes.all().delete()
            superuser.remove(Post.objects.filter(pk=post.pk))
        rows = [
            {"hsa_id": hsa_id, "role": "Läs", "organisation": "TST2321000131-1004"}
            for hsa_id in (*forgotten, hidden.hsa_id, "TST2321000131-ZZZZZZZZ", "nonsens")
        ]
        world.outside.calls.clear()
        plan = kept(actor, csv(SetupTable.ROLES, *rows))[1]
        assert world.outside.calls == ["posts"] * 4 + ["person"]
        assert [number for number, _, _ in errors(plan)] == [3, 4, 5, 6]
        assert plan.rows[0].summary == "Prov Provsson får rollen Läs i Kliniken"
        assert not Post.objects.filter(hsa_id=theirs.hsa_id).exists()
        assert kept(actor, csv(SetupTable.ROLES, rows[0]))[1].gives_roles
        assert world.outside.calls == ["posts"] * 4 + ["person"]

    def test_s14_whole_files_of_guesses_are_watched_and_bounded(self, world: Any, settings: Any) -> None:
        """Those out of sight count as those who are not there; whom the catalogue gives counts for nothing."""
        settings.SEARCH_MISSES_SUSPECT, settings.SETUP_IMPORT_MISSES_PER_HOUR = 3, 4
        actor, found = issuer(world), world.post(world.clinic)
        hidden = world.post(world.clinic, protected=True).hsa_id

        def sent(*hsa_ids: str) -> None:
            SETUP_IMPORTER.keep(
                actor=actor, content=csv(SetupTable.ROLES, *({"hsa_id": each, "role": "Läs"} for each in hsa_ids))
            )

        def suspected() -> list[int]:
            return [event.facts["misses"] for event in Event.objects.filter(action="search.suspected", actor_ref=actor.ref)]

        Person.objects.get(pk=found.person_id).scopes.all().delete()
        superuser.remove(Post.objects.filter(pk=found.pk))
        sent(found.hsa_id, hidden, "TST2321000131-ZZ01")
        assert suspected() == []
        sent(hidden, "TST2321000131-ZZ02")
        assert suspected() == [4]
        world.outside.calls.clear()
        with pytest.raises(TooManyRequests) as refused:
            sent("TST2321000131-ZZ03")
        assert (world.outside.calls, 3500 < (refused.value.retry_after or 0) <= 3601) == ([], True)
        assert "Om 60 minuter tar portalen emot fler filer" in refused.value.message
        sent(found.hsa_id)
        with clock.moved_to(clock.now() + dt.timedelta(minutes=61)):
            sent("TST2321000131-ZZ03")

    def test_s14_files_that_are_sent_at_once_share_the_budget(
        self, world: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.SETUP_IMPORT_MISSES_PER_HOUR = 2
        actor, find, done, first = issuer(world), world.outside.find_posts_by_hsa_id, [], []

        def sent(number: int) -> str:
            rows = [{"hsa_id": f"TST2321000131-Y{number}{n}", "role": "Läs", "organisation": world.clinic.hsa_id} for n in (1, 2)]
            try:
                SETUP_IMPORTER.keep(actor=actor, content=csv(SetupTable.ROLES, *rows))
            except TooManyRequests as error:
                return error.code
            finally:
                done.append(number)
                connections.close_all()
            return "taken"

        def beside_another(hsa_id: str) -> Any:
            if not first:
                first.append(hsa_id)
                wait_for(lambda: bool(done) or sessions_waiting() > 0)
            return find(hsa_id)

        monkeypatch.setattr(world.outside, "find_posts_by_hsa_id", beside_another)
        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(sent, range(2))) == ["taken", "unknown-budget"]

    def test_s14_a_file_names_no_more_unknown_people_than_are_taken_at_once(self, world: Any) -> None:
        rows = [{"hsa_id": f"TST2321000131-Z{number:04}", "role": "Läs"} for number in range(MAX_NEW + 1)]
        world.outside.calls.clear()
        with pytest.raises(Invalid, match="too-many-unknown"):
            SETUP_IMPORTER.keep(actor=issuer(world), content=csv(SetupTable.ROLES, *rows))
        assert world.outside.calls == []

    def test_hidden_and_missing_give_the_same_answer_by_the_same_queries(self, world: Any) -> None:
        actor = issuer(world)
        hidden = world.post(world.clinic, protected=True).hsa_id
        answers = []
        for hsa_id in (hidden, "TST2321000131-ZZZZZZZZ"):
            row = SETUP_IMPORTER.keep(
                actor=actor,
                content=csv(SetupTable.ROLES, {"hsa_id": hsa_id, "role": "Läs", "organisation": "TST2321000131-1004"}),
            )
            with CaptureQueriesContext(connection) as queries:
                plan = SETUP_IMPORTER.planned(actor=actor, row=row)
            answers.append((errors(plan), [query["sql"].split("WHERE")[0] for query in queries]))
        assert answers[0] == answers[1]

    def test_a_thousand_rows_cost_the_queries_of_three(self, world: Any) -> None:
        actor = issuer(world)
        posts = [world.post(world.clinic).hsa_id for _ in range(3)]
        costs = []
        for count in (1, 333):
            sheets = [
                table(SetupTable.ORGANISATIONS, *({**_SUB, "hsa_id": f"TST2321000131-5{n:03}"} for n in range(count))),
                table(
                    SetupTable.OFFICES,
                    *({**OFFICE, "name": f"K {n}", "organisations": "TST2321000131-5000"} for n in range(count)),
                ),
                table(
                    SetupTable.ROLES,
                    *({"hsa_id": posts[n % 3], "role": "Läs", "organisation": f"TST2321000131-5{n:03}"} for n in range(count)),
                ),
            ]
            row = SETUP_IMPORTER.keep(actor=actor, content=workbooks.build(sheets))
            with CaptureQueriesContext(connection) as queries:
                plan = SETUP_IMPORTER.planned(actor=actor, row=row)
            assert errors(plan) == []
            assert plan.count(RowOutcome.CREATE) == 3 * count
            costs.append(len(queries))
        assert costs[0] == costs[1] <= 12

    def test_a_file_with_more_than_is_done_at_once_is_refused_as_a_whole(self, world: Any) -> None:
        actor = issuer(world)
        rows = [{**OFFICE, "name": f"Kontor {n}"} for n in range(1001)]
        with pytest.raises(Invalid) as refused:
            SETUP_IMPORTER.keep(actor=actor, content=csv(SetupTable.OFFICES, *rows))
        said = (
            "Filen har 1\u00a0001 nya rader. Högst 1\u00a0000 nya rader läses in åt gången. "
            "Dela upp den i flera filer, med de översta organisationerna i den första."
        )
        assert (refused.value.code, refused.value.fields) == ("too-many-new", {"file": [said]})
        assert not SetupImport.objects.exists()
        there = create_office(actor=SETUP, area_id=world.area.id, name="Kontor 0", invoice_comment="B")
        row, plan = kept(actor, csv(SetupTable.OFFICES, *rows))  # what is there already is not counted
        assert (plan.counts["offices"], plan.counts["same"], plan.too_long, plan.has_errors) == (1000, 1, "", False)
        close_office(actor=SETUP, office_id=there.pk)
        plan = SETUP_IMPORTER.planned(actor=actor, row=row)
        assert (plan.too_long, errors(plan)) == (said, [])
        with pytest.raises(Invalid, match="too-many-new"):
            SETUP_IMPORTER.carry_out(actor=actor, import_id=row.pk, sha256=plan.sha256)
        assert Office.objects.filter(name="Kontor 1").count() == 0


class TestFiles:
    """Which files are taken at all."""

    def test_headings_decide(self, world: Any) -> None:
        actor = issuer(world)
        for content, code in (
            ("a;b\r\n1;2\r\n", "unknown-table"),
            ("Kontorets namn;Fakturakommentar;Utgivningsområde;Färg\r\na;b;c;d\r\n", "unknown-column"),
            ("Kontorets namn;Fakturakommentar;Utgivningsområde;\r\na;b;c;d\r\n", "rows"),
            ("Kontorets namn;Fakturakommentar;Fakturakommentar\r\na;b;c\r\n", "column-twice"),
            ("Fakturakommentar\r\na\r\n", "column-missing"),
            ("Kontorets namn;Fakturakommentar;Utgivningsområde\r\n;;\r\n", "no-rows"),
        ):
            if code == "rows":
                plan = kept(actor, content.encode())[1]
                assert errors(plan)[0] == (2, "name", "Raden har fler celler än det finns rubriker.")
                continue
            with pytest.raises(Invalid) as refused:
                SETUP_IMPORTER.keep(actor=actor, content=content.encode())
            assert (refused.value.code, list(refused.value.fields)) == (code, ["file"])

    def test_only_those_who_set_something_up(self, world: Any) -> None:
        allowed = {Role.MASTER_DATA_ADMIN, Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER}
        for role in Role:
            actor = world.officer(role=role)
            if role in allowed:
                SETUP_IMPORTER.keep(actor=actor, content=csv(SetupTable.OFFICES, OFFICE))
            else:
                with pytest.raises(Forbidden):
                    SETUP_IMPORTER.keep(actor=actor, content=csv(SetupTable.OFFICES, OFFICE))

    def test_a_file_is_its_senders_and_goes(self, world: Any) -> None:
        actor = issuer(world)
        rows = [SETUP_IMPORTER.keep(actor=actor, content=csv(SetupTable.OFFICES, OFFICE)) for _ in range(6)]
        assert set(SetupImport.objects.values_list("pk", flat=True)) == {row.pk for row in rows[1:]}
        with pytest.raises(NotFound):
            SETUP_IMPORTER.own(actor=admin(world), import_id=rows[5].pk)
        SETUP_IMPORTER.give_up(actor=actor, import_id=rows[5].pk)
        SetupImport.objects.filter(pk=rows[4].pk).update(expires_at=clock.now())
        for gone in (rows[5], rows[4], rows[0]):
            with pytest.raises(NotFound):
                SETUP_IMPORTER.own(actor=actor, import_id=gone.pk)
        tasks.forget_searches()
        assert SetupImport.objects.count() == 3


class TestExport:
    """What is there comes back as nothing to do."""

    def test_everything_of_an_area_in_both_forms(self, world: Any) -> None:
        actor = issuer(world)
        content, _ = whole(world)
        carried_out(actor, content)
        set_subscription_fee(actor=SETUP, organisation_id=world.city.id, charged=True, valid_from=clock.now())
        address = OfficeAddress("Borås", "Enhet", "Gatan 1", "501 80", "Borås")
        create_office(actor=SETUP, area_id=world.area.id, name="-Kontor", invoice_comment="=B", address=address)
        for name, comment in (("#1 Mottagningen", "# 1"), ("'-Kontor", "''=B"), ("# Kontor", "'=B")):
            create_office(actor=SETUP, area_id=world.area.id, name=name, invoice_comment=comment)
        world.officer(world.clinic, Role.DEPUTY_ISSUER)
        found = {kind: setup_files.rows(actor=actor, part=ExportedPart(world.area.id), kind=kind) for kind in SetupTable}
        assert {kind.value: len(rows) for kind, rows in found.items()} == {
            "organisationer": 5, "kontor": 6, "rollinnehavare": 3,
        }  # fmt: skip
        sheets = [Sheet(SETUP_TABLES[kind].title, SETUP_TABLES[kind].headings, rows) for kind, rows in found.items()]
        files = [workbooks.build(sheets), *(csv_files.build(sheet.header, sheet.rows) for sheet in sheets)]
        for file in files:
            plan = kept(actor, file)[1]
            assert (errors(plan), plan.is_empty) == ([], True)

    def test_awkward_values_come_back_and_set_up_an_empty_area(self, world: Any) -> None:
        """The very file gives no change in its own area, and the same set-up in an area without anything."""
        actor = world.officer(role=Role.RESPONSIBLE_ISSUER, protected=True)
        _awkward(world)
        found = {kind: setup_files.rows(actor=actor, part=ExportedPart(world.area.id), kind=kind) for kind in SetupTable}
        for files in _both_forms(found):
            for file in files:
                plan = kept(actor, file)[1]
                assert (errors(plan), plan.is_empty) == ([], True)
        empty = create_area(actor=SETUP, name="Tomma området")
        elsewhere = {kind: _elsewhere(kind, rows) for kind, rows in found.items()}
        organisations, offices, roles = _both_forms(elsewhere)[1]
        for file in (organisations, offices):  # a role takes a post, which no file of the set-up makes
            assert errors(kept(admin(world), file)[1]) == []
            assert carried_out(admin(world), file).done_at
        there = _issuer_elsewhere(world, empty, elsewhere[SetupTable.ROLES])
        assert errors(kept(there, roles)[1]) == []
        assert carried_out(there, roles).done_at
        again = {kind: setup_files.rows(actor=there, part=ExportedPart(empty.id), kind=kind) for kind in SetupTable}
        for kind, unset in (
            (SetupTable.ORGANISATIONS, "customisation"),
            (SetupTable.OFFICES, "office_number"),
            (SetupTable.ROLES, "valid_from"),
        ):
            assert _but(kind, again[kind], unset) == _but(kind, elsewhere[kind], unset)

    def test_a_sub_organisation_tells_no_fee_of_when_it_lay_at_the_top(self, world: Any) -> None:
        """No file may tell one of it, so that this one could be filled in for another place too."""
        set_subscription_fee(actor=SETUP, organisation_id=world.city.id, charged=True, valid_from=clock.now())
        move_organisation(actor=SETUP, organisation_id=world.city.id, parent_id=world.region.id)
        rows = setup_files.rows(actor=issuer(world), part=ExportedPart(world.area.id), kind=SetupTable.ORGANISATIONS)
        columns = [column.field for column in SETUP_TABLES[SetupTable.ORGANISATIONS].columns]
        assert {row[0]: row[columns.index("charged")] for row in rows} == {"Kliniken": "", "Regionen": "Nej", "Staden": ""}

    def test_an_area_is_found_in_small_and_capital_letters(self, world: Any) -> None:
        """As nobody tells such names apart, no two areas have them."""
        plan = kept(admin(world), csv(SetupTable.ORGANISATIONS, {**_TOP, "area": "REGIONEN"}, {**_SUB, "area": "regionen"}))[1]
        assert [line.outcome for line in plan.rows] == [RowOutcome.CREATE, RowOutcome.INVALID]  # two of one HSA-id
        assert [field for _, field, _ in errors(plan)] == ["hsa_id"]
        plan = kept(issuer(world), csv(SetupTable.OFFICES, {**OFFICE, "area": "REGIONEN"}))[1]
        assert [line.outcome for line in plan.rows] == [RowOutcome.CREATE]

    def test_a_name_that_begins_with_a_number_sign_is_made(self, world: Any) -> None:
        """Of all rows that begin so, the template's own line of help alone is none."""
        shape, actor = SETUP_TABLES[SetupTable.OFFICES], issuer(world)
        row = ["#1 Mottagningen", "# 1", "Regionen"]
        carried_out(actor, csv_files.build(shape.headings, [shape.help_line, row]))
        assert Office.objects.get(invoice_comment="# 1").name == "#1 Mottagningen"
        turned = csv_files.build(shape.headings[2::-1], [shape.help_line[2::-1], row[::-1]])
        assert [line.outcome for line in kept(actor, turned)[1].rows] == [RowOutcome.SAME]
        told = kept(actor, csv_files.build(shape.headings, [["# att göra"], row]))[1]
        assert [line.outcome for line in told.rows] == [RowOutcome.INVALID, RowOutcome.SAME]
        for helped in SETUP_TABLES.values():
            with pytest.raises(Invalid, match="no-rows"):
                SETUP_IMPORTER.keep(actor=actor, content=csv_files.build(helped.headings, [helped.help_line]))

    def test_protected_holders_and_others_roles_are_not_in_it(self, world: Any) -> None:
        world.officer(world.clinic, Role.READER)
        assert len(setup_files.rows(actor=issuer(world), part=ExportedPart(world.area.id), kind=SetupTable.ROLES)) == 2
        Person.objects.filter(role_grants__role="reader").update(is_protected=True, protected_person_indicator=True)
        assert len(setup_files.rows(actor=issuer(world), part=ExportedPart(world.area.id), kind=SetupTable.ROLES)) == 1
        reader = world.officer(role=Role.GLOBAL_READER)
        assert setup_files.rows(actor=reader, part=ExportedPart(world.area.id), kind=SetupTable.ROLES) == []


def _awkward(world: Any) -> None:
    """Fills the area with values that files, spreadsheets and dates are known to spoil."""
    today, day = clock.today(), dt.timedelta(days=1)
    for number, name in enumerate(
        ('Vård "Norr"; och, syd', "=1+1", "'Väst", "-Syd", "@Öst", "+46 8", "007", "_x0041_", "Sjö\u00a0vård")
    ):
        world.organisation(name, f"TST2321000131-00{number}0", "2321000131", area=world.area, parent=world.region)
    address = OfficeAddress("=Borås", "'Enhet", "-Gatan 1", "501 80", "@Borås")
    office = create_office(actor=SETUP, area_id=world.area.id, name='"Kontor"; 1', invoice_comment="=0071\n2", address=address)
    connect_office(actor=SETUP, organisation_id=world.clinic.id, office_id=office.id)
    closed = create_office(actor=SETUP, area_id=world.area.id, name="Stängt", invoice_comment="S")
    close_office(actor=SETUP, office_id=closed.pk)
    for charged, moment in ((True, clock.now()), (False, clock.start_of_day(today + 40 * day))):
        set_subscription_fee(actor=SETUP, organisation_id=world.city.id, charged=charged, valid_from=moment)
    CardCustomisation.objects.filter(pk=Organisation.objects.get(pk=world.city.pk).customisation_id).update(generic=True)
    person = world.post(world.clinic, surname='=Öster "af"').person
    hidden = world.post(world.clinic, protected=True, surname="Hemlig").person
    spans = ((-90, -60), (-30, 10), (11, 20), (30, None))
    for who, role in ((person, Role.READER), (hidden, Role.REVOKER)):
        for first, last in spans:
            RoleGrant.objects.create(
                person=who, role=role.value, organisation=world.clinic, valid_from=clock.start_of_day(today + first * day),
                valid_to=clock.end_of_day(today + last * day) if last is not None else None,
            )  # fmt: skip


def _both_forms(found: dict[SetupTable, list[tuple[str, ...]]]) -> tuple[list[bytes], list[bytes]]:
    sheets = [Sheet(SETUP_TABLES[kind].title, SETUP_TABLES[kind].headings, rows) for kind, rows in found.items()]
    return [workbooks.build(sheets)], [csv_files.build(sheet.header, sheet.rows) for sheet in sheets]


def _elsewhere(kind: SetupTable, rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """The rows as another installation has them: other HSA-ids and office numbers, and an area without anything."""
    ids = ("hsa_id", "parent", "organisations", "organisation")
    columns = [column.field for column in SETUP_TABLES[kind].columns]
    made = []
    for row in rows:
        cells = dict(zip(columns, row, strict=True))
        cells |= {name: cells[name].replace("TST2", "TSX2") for name in ids if name in cells}
        if "office_number" in cells:
            cells["office_number"] += "X"
        made.append(tuple((cells | ({"area": "Tomma området"} if cells["area"] else {})).values()))
    return made


def _issuer_elsewhere(world: Any, area: IssuingArea, rows: Sequence[Sequence[str]]) -> Actor:
    """Gives each person of the file a post with the file's HSA-id in the other area; returns its responsible issuer."""
    region = Organisation.objects.get(hsa_id="TSX2321000131-1000")
    for hsa_id in {row[0] for row in rows}:
        Post.objects.filter(pk=world.post(region, surname="Annan").pk).update(hsa_id=hsa_id)
    (person,) = [Post.objects.get(hsa_id=row[0]).person for row in rows if row[2] == "Ansvarig utgivare"]
    role_assignment.assign_role(
        actor=SETUP, person_id=person.pk, role=Role.RESPONSIBLE_ISSUER, area_id=area.pk, protected_persons=True
    )
    return actor_of_person(person.pk)


def _but(kind: SetupTable, rows: Sequence[Sequence[str]], unset: str) -> list[tuple[str, ...]]:
    """The rows without the cells that another installation sets by itself, and without names of persons."""
    columns = [column.field for column in SETUP_TABLES[kind].columns]
    return sorted(tuple(cell for name, cell in zip(columns, row, strict=True) if name not in (unset, "person")) for row in rows)


class TestADeputy:
    """Who sees no area connects offices to his organisations, from what he fetches of them (ADR 0183)."""

    @staticmethod
    def office(world: Any, name: str = "Kontor B") -> Office:
        address = OfficeAddress("Borås", "Enhet", "Hemliga gatan 1", "501 80", "Borås")
        return create_office(actor=SETUP, area_id=world.area.id, name=name, invoice_comment="B", address=address)

    def test_connects_an_office_by_its_number(self, world: Any) -> None:
        deputy, office = world.officer(world.clinic, Role.DEPUTY_ISSUER), self.office(world)
        row = {**OFFICE, "office_number": office.office_number, "organisations": "TST2321000131-1004"}
        kept_row, plan = kept(deputy, csv(SetupTable.OFFICES, row))
        assert (errors(plan), plan.rows[0].summary) == ([], "Finns redan, kopplas till 1 organisation")
        SETUP_IMPORTER.carry_out(actor=deputy, import_id=kept_row.pk, sha256=plan.sha256)
        assert list(office.organisations.all()) == [world.clinic]
        told = Event.objects.get(action="office.connected", actor_ref=deputy.ref)
        assert (told.subject_ref, told.facts) == (str(office.pk), {"organisation": str(world.clinic.pk)})
        assert kept(deputy, csv(SetupTable.OFFICES, row))[1].is_empty

    def test_and_no_other_than_the_pages_offer_nor_what_they_do_not_tell(self, world: Any) -> None:
        deputy, office, closed = world.officer(world.clinic, Role.DEPUTY_ISSUER), self.office(world), self.office(world, "C")
        close_office(actor=SETUP, office_id=closed.pk)
        other = create_office(actor=SETUP, area_id=world.stranger.area_id, name="Kontor B", invoice_comment="B")
        row = {**OFFICE, "office_number": office.office_number}
        missing = "finns inte, eller så ligger det utanför din behörighet. Kontrollera värdet."
        for cells, field, message in (
            ({**OFFICE}, "area", f"Utgivningsområdet {missing} För ett kontor som redan finns räcker det att ange Kontorsid."),
            ({**row, "area": ""}, "area", "Ange utgivningsområdets namn."),
            ({**row, "area": "Annan region"}, "area", "Kontoret hör till ett annat utgivningsområde."),
            (
                {**row, "invoice_comment": "C"}, "invoice_comment",
                "Finns redan, med ett annat värde: B. Ändra det på dess egen sida.",
            ),
            (
                {**row, "recipient_organisation": "Borås", "street_address": "Gatan 1", "postal_code": "50180", "city": "Borås"},
                "street_address", "Finns redan, med ett annat värde. Ändra det på dess egen sida.",
            ),
            ({**row, "organisations": "TST2321000131-1000"}, "organisations", f"Organisationen TST2321000131-1000 {missing}"),
            *(
                ({**row, "office_number": number}, "office_number", f"Kontoret {missing} Lämna cellen tom för ett nytt kontor.")
                for number in (closed.office_number, other.office_number, "1234567890")
            ),
        ):  # fmt: skip
            plan = kept(deputy, csv(SetupTable.OFFICES, cells))[1]
            assert errors(plan) == [(2, field, message)], cells
        for role in (Role.READER, Role.ID_ADMINISTRATOR):
            with pytest.raises(Forbidden):
                kept(world.officer(world.clinic, role), csv(SetupTable.OFFICES, row))

    def test_fetches_what_can_be_connected_and_sends_it_back(self, world: Any) -> None:
        deputy, office = world.officer(world.clinic, Role.DEPUTY_ISSUER), self.office(world)
        world.officer(world.clinic)
        part = ExportedPart(world.area.id, world.clinic.scope_path)
        found = {kind: [list(row) for row in setup_files.rows(actor=deputy, part=part, kind=kind)] for kind in SetupTable}
        organisations = [row[:5] for row in found[SetupTable.ORGANISATIONS]]
        assert organisations == [["Kliniken", "TST2321000131-1004", "2321000131", "Regionen", ""]]  # none above in sight
        assert [(row[0], row[3], row[4], row[7]) for row in found[SetupTable.OFFICES]] == [
            ("Kontor A", world.office.office_number, "TST2321000131-1004", ""), ("Kontor B", office.office_number, "", ""),
        ]  # fmt: skip
        assert len(found[SetupTable.ROLES]) == 2
        sheets = [Sheet(SETUP_TABLES[kind].title, SETUP_TABLES[kind].headings, rows) for kind, rows in found.items()]
        assert kept(deputy, workbooks.build(sheets))[1].is_empty
        found[SetupTable.OFFICES][1][4] = "TST2321000131-1004"
        carried_out(deputy, workbooks.build(sheets))
        assert list(office.organisations.all()) == [world.clinic]
        above = setup_files.rows(actor=issuer(world), part=part, kind=SetupTable.ORGANISATIONS)
        assert [row[4] for row in above] == ["TST2321000131-1000"]
        seen = setup_files.rows(actor=issuer(world), part=part, kind=SetupTable.OFFICES)
        assert [(row[4], row[7]) for row in seen] == [("TST2321000131-1004", ""), ("TST2321000131-1004", "Hemliga gatan 1")]
