"""Historik of all that lies in an area: the rows and words of the single histories together, for whom, and at which cost."""

import datetime as dt
import re
from operator import attrgetter
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from issuance.authz import Role
from issuance.customisations.models import CardCustomisation
from issuance.offices.models import Office
from issuance.offices.services import close_office, create_office
from issuance.organisations.models import Organisation
from issuance.organisations.services.areas import create_area
from issuance.organisations.services.moving import move_organisation
from issuance.organisations.services.organisations import OrganisationData, edit_organisation
from issuance.people.models.persons import Person
from issuance.receipt_texts.services import set_receipt_text
from issuance.records.web.history import HistoryList
from issuance.roles.services import role_assignment
from siths_portal.lib import clock
from tests import superuser
from tests.issuance import events_of_others
from tests.issuance.organisations.test_pages import MOST_QUERIES, admin, at, client_of, issuer
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.roles.test_pages import assign, issuer_of
from tests.issuance.world import SETUP


def everything(area: Any) -> str:
    return f"{at('area_history', area)}?visa=allt"


def all_pages(client: Client, address: str) -> list[Any]:
    """The entries of a history from its first page to its last."""
    found: list[Any] = []
    while address:
        context = client.get(address).context
        found += context["list"].lines
        address = context["list"].next_url
    return found


def busy(world: Any) -> None:
    """One of each thing that is done in an area."""
    region = world.region
    data = OrganisationData("Kliniken i väst", world.clinic.hsa_id, "2321000131")
    edit_organisation(actor=SETUP, organisation_id=world.clinic.id, version=1, data=data)
    for organisation in (region, world.clinic):
        for text in ("Ett", "Två"):
            words = f"{text} {organisation.name[0]}"
            set_receipt_text(actor=SETUP, organisation_id=organisation.id, regional_addition=words)
    office = create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
    close_office(actor=SETUP, office_id=office.id)
    with clock.moved_to(clock.now() - dt.timedelta(days=30)):  # stored later than what happened after it
        create_office(actor=SETUP, area_id=world.area.id, name="Kontor C", invoice_comment="C")
    grant = assign(world, world.post(given_name="Bengt", surname="Persson").person)
    role_assignment.end_role(actor=SETUP, grant_id=grant.id)
    assign(world, world.post(surname="Underson").person, organisation_id=world.clinic.id)
    assign(world, world.post(surname="Utgivarsson").person, Role.RESPONSIBLE_ISSUER, organisation_id=None, area_id=world.area.id)
    world.organisation("Nedlagda", "TST2321000131-1009", "2321000131", area=world.area, parent=region)
    Organisation.objects.filter(name="Nedlagda").update(closed_at=clock.now())


def test_it_is_the_single_histories_together(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows in the same words, newest first, each with what it was done to, on several pages."""
    busy(world)
    monkeypatch.setattr(HistoryList, "page_size", 6)
    client = issuer(world)
    whole = all_pages(client, everything(world.area))
    single: dict[int, Any] = {}
    for name, rows in (
        ("area_history", [world.area]),
        ("organisation_history", Organisation.objects.filter(area=world.area)),
        ("office_history", Office.objects.filter(area=world.area)),
        ("customisation_history", CardCustomisation.objects.all()),
    ):
        for row in rows:
            single |= {entry.id: entry for entry in all_pages(client, at(name, row))}
    by_time = sorted(single.values(), key=attrgetter("at", "id"), reverse=True)
    assert [entry.id for entry in whole] == [entry.id for entry in by_time] != sorted(single, reverse=True)
    for entry in whole:
        alone = single[entry.id]
        assert (entry.what, entry.who, entry.hsa_id, entry.changes) == (alone.what, alone.who, alone.hsa_id, alone.changes)
        assert alone.subject is None
    assert {entry.subject.kind for entry in whole} == {"area", "organisation", "office", "customisation"}


def test_each_entry_tells_what_it_was_done_to_and_leads_there(world: Any) -> None:
    busy(world)
    page = issuer(world).get(everything(world.area))
    text = text_of(page)
    for expected in (
        "Uppgifter ändrades Organisation: Kliniken i väst Namn: från Kliniken → till Kliniken i väst",
        "Kvittenstext ändrades Organisation: Kliniken i väst Version: 2 Regionalt tillägg: från Ett K → till Två K",
        "Kvittenstext ändrades Organisation: Regionen Version: 2 Regionalt tillägg: från Ett R → till Två R",
        "Kontoret stängdes Kontor: Kontor B",
        "Behörighetsroll avslutades Organisation: Regionen Innehavare: Bengt Persson",
        "Behörighetsroll gavs Utgivningsområde: Regionen Innehavare: Prov Utgivarsson",
        "Organisationen skapades Organisation: Nedlagda",
        "Kontoret kopplades till en organisation Kontor: Kontor A Organisation: Staden",
    ):
        assert expected in text, expected
    for name, row in (("organisation", world.clinic), ("office", world.office), ("area", world.area)):
        assert f'href="{at(name, row)}">' in page.content.decode()
    assert "Annan region" not in text


def test_the_switch_leads_there_and_back(world: Any) -> None:
    client = issuer(world)
    alone, whole = (client.get(address) for address in (at("area_history", world.area), everything(world.area)))
    assert [(each.text, each.here) for each in alone.context["choices"]] == [("Bara området", True), ("Allt i området", False)]
    assert [each.here for each in whole.context["choices"]] == [False, True]
    assert [each.url for each in alone.context["choices"]] == [at("area_history", world.area), everything(world.area)]
    assert "Organisation: Kliniken" not in text_of(alone)
    assert client.get(f"{at('area_history', world.area)}?visa=annat").context["choices"] == alone.context["choices"]


def test_an_area_without_anything_in_it(world: Any) -> None:
    empty = create_area(actor=SETUP, name="Tomt")
    (entry,) = all_pages(admin(world), everything(empty))
    assert (entry.what, entry.subject.name) == ("Utgivningsområdet skapades", "Tomt")


def test_others_areas_are_unknown(world: Any) -> None:
    assert issuer(world).get(everything(world.stranger.area)).status_code == 404
    assert client_of(world.officer(role=Role.DEPUTY_ISSUER)).get(everything(world.area)).status_code in (403, 404)


def test_what_is_moved_takes_its_history_along(world: Any) -> None:
    move_organisation(
        actor=world.officer(role=Role.MASTER_DATA_ADMIN),
        organisation_id=world.city.id,
        parent_id=None,
        area_id=world.stranger.area_id,
    )
    here, there = (all_pages(issuer_client, everything(area)) for issuer_client, area in (
        (issuer(world), world.area), (client_of(world.officer(world.stranger, Role.RESPONSIBLE_ISSUER)), world.stranger.area),
    ))  # fmt: skip
    assert not any(entry.subject.ref == str(world.city.id) for entry in here)
    moved = [entry for entry in there if entry.subject.ref == str(world.city.id)]
    assert moved[0].what == "Organisationen flyttades"
    assert moved[-1].what == "Organisationen skapades"
    # What an office of the other area was for it stands there as in its own history; that office is not named here.
    connected = [entry for entry in there if entry.what == "Kontoret kopplades till en organisation"]
    assert [entry.subject.name for entry in connected] == [""]


def test_a_protected_holder_makes_no_difference_to_who_may_not_see_him(world: Any) -> None:
    """In content, count, pages and queries (S13)."""
    for number in range(51):
        assign(world, world.post(surname=f"Nr{number:02}").person)
    client, address = client_of(issuer_of(world)), everything(world.area)
    client.get(address)
    with CaptureQueriesContext(connection) as without:
        before = client.get(address)
    person = world.post(protected=True, surname="Hemligsson").person
    role_assignment.end_role(actor=SETUP, grant_id=assign(world, person, organisation_id=world.clinic.id).id)
    with CaptureQueriesContext(connection) as with_him:
        after = client.get(address)
    assert after.context["list"].lines == before.context["list"].lines
    assert after.context["list"].next_url == before.context["list"].next_url != ""
    assert len(with_him) == len(without) <= MOST_QUERIES
    assert "Hemligsson" not in after.content.decode()
    assert text_of(client_of(issuer_of(world, protected=True)).get(address)).count("Hemligsson") == 2


def test_a_protected_clerk_is_not_named(world: Any) -> None:
    clerk = world.officer(world.city, Role.DEPUTY_ISSUER, protected=True)
    set_receipt_text(actor=clerk, organisation_id=world.city.id, regional_addition="Text")
    Person.objects.filter(pk=clerk.person_id).update(is_protected=True, protected_person_indicator=True)
    (entry,) = (each for each in all_pages(issuer(world), everything(world.area)) if each.what == "Kvittenstext ändrades")
    assert (entry.who, entry.hsa_id) == ("Rollinnehavare med skyddade personuppgifter", "")


def test_long_ones_are_paged_at_the_same_cost(world: Any) -> None:
    busy(world)
    client = issuer(world)
    for number in range(2, 40):
        for organisation, number_of_it in ((world.clinic, "2321000131"), (world.city, "2120001561")):
            data = OrganisationData(f"{organisation.name} {number}", organisation.hsa_id, number_of_it)
            version = Organisation.objects.get(pk=organisation.pk).version
            edit_organisation(actor=SETUP, organisation_id=organisation.pk, version=version, data=data)
    with CaptureQueriesContext(connection) as first_queries:
        first = client.get(everything(world.area))
    with CaptureQueriesContext(connection) as second_queries:
        second = client.get(first.context["list"].next_url)
    assert len(first_queries) <= MOST_QUERIES
    assert len(second_queries) <= MOST_QUERIES
    assert [len(page.context["list"].lines) for page in (first, second)] == [50, 50]
    assert parse_qs(urlsplit(first.context["list"].next_url).query)["visa"] == ["allt"]
    assert second.context["list"].first_url == f"{everything(world.area)}&ordning=-tid"
    assert client.get(second.context["list"].previous_url).context["list"].lines == first.context["list"].lines
    every = [(entry.at, entry.id) for entry in all_pages(client, everything(world.area))]
    assert every == sorted(set(every), reverse=True)
    ids = [number for _at, number in every]
    assert [entry.id for entry in all_pages(client, f"{everything(world.area)}&ordning=tid")] == ids[::-1]
    for odd in ("x", "-1", "9" * 30, "٣"):
        assert client.get(f"{everything(world.area)}&efter={odd}").context["list"].lines[0].id == ids[0]


def test_it_is_found_by_indexes(world: Any, subtests: pytest.Subtests) -> None:
    """No part of it by reading the whole table, nor along its key; and the event that a later page begins after, by its key.

    The first page and a later one share the events, since pages only read them.
    """
    busy(world)
    later = f"&efter={issuer(world).get(everything(world.area)).context['list'].lines[3].id}"
    with superuser.cursor() as cursor:
        cursor.execute(events_of_others.SQL)
    for before in ("", later):
        with subtests.test(before=before):
            *events, names = plans_of(world, before)  # whose a card customisation was last is asked where it is named
            assert [len(re.findall("Limit", plan)) for plan in events] == [*([1] if before else []), 4, 3]
            assert "Seq Scan on issuance_event" not in names
            for plan in events:
                assert "Seq Scan on issuance_event" not in plan
                assert re.findall(r"issuance_event_pkey.*\n\s*Index Cond: \((\w+ .)", plan) == ["id ="], plan


def plans_of(world: Any, before: str) -> list[str]:
    """How the database finds each part of a page in the table of events."""
    with CaptureQueriesContext(connection) as queries:
        issuer(world).get(everything(world.area) + before)
    plans = []
    with connection.cursor() as cursor:
        for sql in (query["sql"] for query in queries if 'FROM "issuance_event"' in query["sql"]):
            cursor.execute("EXPLAIN " + sql)
            plans.append("\n".join(row[0] for row in cursor.fetchall()))
    return plans
