"""The list of an organisation's holders: who stands in it, filters, order, pages, the file, and what it costs."""

import csv
import datetime as dt
import io
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.authz import Actor, Role
from issuance.carriers.models import Eid
from issuance.offices.models import Office
from issuance.offices.services import connect_office, create_office
from issuance.organisations.models import Organisation
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, Post
from issuance.records.models.events import Event
from issuance.search.queries import holders
from issuance.search.queries.holders import STATUSES, Choice, HolderLine, Holders
from issuance.search.web.holders import HolderList
from siths_portal.lib import clock
from siths_portal.lib.lists import Cursor, Order, Page
from siths_portal.lib.pages.status_words import WORDS, Noun
from tests.issuance.person_page.test_browser import migrated
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.roles.test_pages import rows_of
from tests.issuance.world import SETUP
from tests.portal import portal_client

pytestmark = pytest.mark.usefixtures("authorities")


def client_of(actor: Actor) -> Client:
    return portal_client(Person.objects.get(pk=actor.person_id))


def issuer_of(world: Any, *, protected: bool = False) -> Actor:
    actor: Actor = world.officer(role=Role.RESPONSIBLE_ISSUER, protected=protected)
    return actor


def holder(world: Any, surname: str, organisation: Organisation | None = None, *, days: int = 700, **more: Any) -> Post:
    """A person with an active card, whose eID ends in so many days, at noon: summer time may begin or end until then."""
    post: Post = world.post(organisation, given_name="Prov", surname=surname, **more)
    now = clock.now()
    end = clock.start_of_day(clock.today() + dt.timedelta(days=days)) + dt.timedelta(hours=12)
    migrated(post, valid_from=now - dt.timedelta(days=30), eid_valid_from=now - dt.timedelta(days=30),
             activated_at=now - dt.timedelta(days=20), eid_valid_to=end)  # fmt: skip
    return post


def page(client: Client, organisation: Organisation, **chosen: object) -> Any:
    return client.get(reverse("organisation_holders", args=[organisation.id]), chosen)


def names(answer: Any) -> list[str]:
    return [row[0] for row in rows_of(answer)]


def listed(
    *, actor: Actor, organisation_id: Any, choice: Choice, order: Order, after: Any = None, before: Any = None, limit: int = 50
) -> Page[HolderLine]:
    cursor = Cursor(str(after or before), backwards=before is not None) if after or before else None
    return Holders(actor, organisation_id, choice).page(order, (), cursor, limit)


def file_rows(client: Client, organisation: Organisation, **chosen: object) -> list[list[str]]:
    answer = client.get(reverse("organisation_holders_csv", args=[organisation.id]), chosen)
    assert answer.status_code == 200
    assert answer.streaming
    assert answer["Content-Disposition"].startswith("attachment")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=";"))


class TestWhoStandsInIt:
    def test_the_subtree_and_nothing_else(self, world: Any) -> None:
        post = holder(world, "Regionsson")
        holder(world, "Kliniksson", world.clinic)
        holder(world, "Stadsson", world.city)
        world.post(surname="Kortlös")
        client = client_of(issuer_of(world))
        assert names(page(client, world.region)) == ["Kliniksson, Prov", "Regionsson, Prov"]
        assert names(page(client, world.clinic)) == ["Kliniksson, Prov"]
        row = next(row for row in rows_of(page(client, world.region)) if row[0].startswith("Region"))
        last = clock.today() + dt.timedelta(days=700)
        assert row == [
            "Regionsson, Prov",
            f"…{Eid.objects.get(post=post).carrier.card_serial[-4:]}",
            post.hsa_id,
            "Regionen",
            "Aktivt",
            f"{last}",
        ]

    def test_the_tab_leads_there(self, world: Any) -> None:
        answer = client_of(issuer_of(world)).get(reverse("organisation", args=[world.region.id]))
        assert f'href="{reverse("organisation_holders", args=[world.region.id])}"' in answer.content.decode()

    def test_an_eid_on_a_card_of_another_organisation_stands_where_its_post_is(self, world: Any) -> None:
        post = holder(world, "Dubbelsson", world.city)
        second = world.post(world.clinic, surname="Bisson")
        first = Eid.objects.get(post=post)
        Eid.objects.create(
            state="ordered",
            carrier=first.carrier,
            post=second,
            organisation=world.clinic,
            hsa_id=second.hsa_id,
            created_at=clock.now(),
        )
        with transaction.atomic():
            PersonScope.objects.refresh([post.person_id])
        (row,) = rows_of(page(client_of(issuer_of(world)), world.region))
        assert row[:5] == ["Dubbelsson, Prov", f"…{first.carrier.card_serial[-4:]}", second.hsa_id, "Kliniken", "Beställt"]

    def test_an_empty_list_says_so(self, world: Any) -> None:
        client = client_of(issuer_of(world))
        assert "som du kan se" in text_of(page(client, world.clinic))
        assert "stämmer med urvalet" in text_of(page(client, world.clinic, status="revoked"))
        assert not Event.objects.filter(action="holders.listed").exists(), "nobody was shown"

    def test_who_sees_the_clinic_alone_does_not_see_above(self, world: Any) -> None:
        client = client_of(world.officer(world.clinic, Role.READER))
        assert page(client, world.clinic).status_code == 200
        assert page(client, world.region).status_code == 404
        assert page(client_of(world.officer(world.region)), world.region).status_code in (403, 404)


class TestProtectedPersons:
    def test_without_the_add_on_as_if_they_were_not_there(self, world: Any) -> None:
        """Content, pages, the file's rows and the number of queries are those of an organisation without them."""
        plain, with_it = client_of(issuer_of(world)), client_of(issuer_of(world, protected=True))
        holder(world, "Synlig")
        address = reverse("organisation_holders", args=[world.region.id])

        def asked() -> tuple[str, int, list[list[str]]]:
            with CaptureQueriesContext(connection) as queries:
                answer = plain.get(address)
            return answer.content.decode().split("<main", 1)[1].split("csrf")[0], len(queries), file_rows(plain, world.region)

        before = asked()
        post = holder(world, "Hemligsson", protected=True)
        after = asked()
        assert before == after
        assert names(with_it.get(address)) == ["Hemligsson, Prov", "Synlig, Prov"]
        assert len(file_rows(with_it, world.region)) == 3
        shown = Event.objects.filter(action="holders.listed").order_by("id")
        assert [str(post.person_id) in event.facts["persons"] for event in shown] == [False, False, True]
        assert [event.facts["rows"] for event in Event.objects.filter(action="holders.exported").order_by("id")] == [1, 1, 2]

    def test_they_are_no_cursor_and_take_no_place_on_a_page(self, world: Any) -> None:
        hidden = Eid.objects.get(post=holder(world, "Alm", protected=True))
        for surname in ("Björk", "Ceder"):
            holder(world, surname)
        arguments: dict[str, Any] = {"organisation_id": world.region.id, "choice": Choice(), "order": Order("namn"), "limit": 2}
        found = listed(actor=issuer_of(world), **arguments)
        assert [row.name for row in found.lines] == ["Björk, Prov", "Ceder, Prov"]
        assert found.next is None
        assert listed(actor=issuer_of(world), after=hidden.pk, **arguments) == found


class TestFilters:
    def test_status(self, world: Any) -> None:
        holder(world, "Aktivsson")
        ended = Eid.objects.get(post=holder(world, "Spärrsson"))
        Eid.objects.filter(pk=ended.pk).update(state="revoked", ended_at=clock.now())
        world.order(world.post(surname="Beställsson"))
        sent = world.order(world.post(surname="Skicksson"))
        type(sent.carrier).objects.filter(pk=sent.carrier_id).update(state="sent", sent_at=clock.now())
        client = client_of(issuer_of(world))
        for status, name in (
            ("active", "Aktivsson"), ("revoked", "Spärrsson"), ("ordered", "Beställsson"), ("sent", "Skicksson"),
        ):  # fmt: skip
            assert names(page(client, world.region, status=status)) == [f"{name}, Prov"], status
        assert len(names(page(client, world.region))) == 4

    def test_every_row_stands_under_the_status_that_it_shows(self, world: Any) -> None:
        orders = [world.order(world.post(surname=f"Nr {number}")) for number in range(4)]
        for order, state in zip(orders, ("ordered", "sent", "activated_unsigned", "active"), strict=True):
            type(order.carrier).objects.filter(pk=order.carrier_id).update(state=state, origin="migrated")
        arguments: dict[str, Any] = {"actor": issuer_of(world), "organisation_id": world.region.id, "order": Order("namn")}
        everybody = listed(choice=Choice(), **arguments).lines
        by_status = [row for status in STATUSES for row in listed(choice=Choice(status), **arguments).lines]
        assert sorted(everybody, key=str) == sorted(by_status, key=str)
        assert {row.status for row in everybody} == {"ordered", "sent", "activated_unsigned"}
        for status in STATUSES:
            assert {row.status for row in listed(choice=Choice(status), **arguments).lines} <= {status}
        assert set(WORDS[Noun.EID]) - {"in_stock", "reserved"} == set(STATUSES), "those of carriers whose holders have an eID"

    def test_office(self, world: Any) -> None:
        other: Office = create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
        connect_office(actor=SETUP, organisation_id=world.region.id, office_id=other.id)
        world.order(world.post(surname="Alm"))
        world.order(world.post(surname="Björk"), office=other)
        client = client_of(issuer_of(world))
        (row,) = rows_of(page(client, world.region, kontor=other.id))
        assert (row[0], row[3]) == ("Björk, Prov", "Regionen Kontor B")

    def test_those_that_end_soon_come_first(self, world: Any) -> None:
        for surname, days in (("Alm", 80), ("Björk", 20), ("Ceder", 400)):
            holder(world, surname, days=days)
        client = client_of(issuer_of(world))
        assert names(page(client, world.region, inom=90)) == ["Björk, Prov", "Alm, Prov"]
        assert names(page(client, world.region, inom=90, ordning="-till")) == ["Alm, Prov", "Björk, Prov"]
        assert names(page(client, world.region, inom=19)) == []
        assert names(page(client, world.region, inom=20)) == ["Björk, Prov"], "the last day counts"
        assert names(page(client, world.region, ordning="till")) == ["Alm, Prov", "Björk, Prov", "Ceder, Prov"]

    def test_what_is_no_filter_is_told(self, world: Any, subtests: pytest.Subtests) -> None:
        """One holder for all, since none of them may show it."""
        holder(world, "Synlig")
        client = client_of(issuer_of(world))
        for chosen, told in (
            ({"inom": "snart"}, "Ange ett antal dagar"),
            ({"inom": "0"}, "Ange ett antal dagar"),
            ({"inom": "99999"}, "Ange ett antal dagar"),
            ({"status": "borta"}, "Välj en status"),
            ({"kontor": "0193"}, "Välj ett kontor"),
        ):
            with subtests.test(**chosen):
                answer = page(client, world.region, **chosen)
                assert (answer.status_code, told in text_of(answer), "Synlig" in text_of(answer)) == (422, True, False)
                to_file = client.get(reverse("organisation_holders_csv", args=[world.region.id]), chosen)
                assert to_file.status_code == 302
                assert not Event.objects.filter(action__startswith="holders.").exists()


class TestPages:
    def test_pages_are_the_whole_list_once(self, world: Any, subtests: pytest.Subtests) -> None:
        """By each key, up and down. The orders share the holders, since lists only read them."""
        for number in range(7):
            surname = ("Ek", "Ek", "Åberg", "Ärlig", "Öman", "alm", "Zorn")[number]
            holder(world, surname, (world.region, world.clinic)[number % 2], days=30 + number // 2)
        actor, choice = issuer_of(world), Choice(days=90)
        for key, descending in itertools.product(("namn", "id", "till"), (False, True)):
            with subtests.test(key=key, descending=descending):
                order = Order(key, descending)
                arguments: dict[str, Any] = {
                    "actor": actor, "organisation_id": world.region.id, "choice": choice, "order": order,
                }  # fmt: skip
                whole: Sequence[HolderLine] = listed(**arguments).lines
                assert len(whole) == 7
                source = Holders(actor, world.region.id, choice)
                assert list(source.every(order)) == list(whole)
                assert source.count() == 7
                for size in (1, 2, 3):
                    found, after, pages = [], None, 0
                    while pages == 0 or after:
                        one = listed(**arguments, after=after, limit=size)
                        found, after, pages = [*found, *one.lines], one.next, pages + 1
                    assert found == list(whole), size
                    assert pages == -(-7 // size)
                if key == "namn":
                    surnames = [row.name.split(",")[0] for row in whole]
                    assert surnames == (["Öman", "Ärlig", "Åberg", "Zorn", "Ek", "Ek", "alm"] if descending else
                                        ["alm", "Ek", "Ek", "Zorn", "Åberg", "Ärlig", "Öman"])  # fmt: skip

    def test_links_keep_what_is_chosen(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        for surname in ("Alm", "Björk", "Ceder"):
            holder(world, surname, days=40)
        monkeypatch.setattr(HolderList, "page_size", 2)
        client = client_of(issuer_of(world))
        first = page(client, world.region, status="active", inom=90, ordning="-namn")
        assert names(first) == ["Ceder, Prov", "Björk, Prov"]
        shown = first.context["list"]
        second = client.get(shown.next_url)
        assert names(second) == ["Alm, Prov"]
        assert second.context["list"].next_url == ""
        assert names(client.get(second.context["list"].first_url)) == names(first)
        for url in (shown.next_url, *(file.url for file in shown.files)):
            assert "status=active" in url
            assert "inom=90" in url

    def test_every_page_costs_the_same_queries(self, world: Any, django_assert_max_num_queries: Any) -> None:
        for number in range(9):
            holder(world, f"Nr{number}", (world.region, world.clinic)[number % 2])
        client, costs, after = client_of(issuer_of(world)), [], None
        page(client, world.region)
        for _ in range(3):
            with CaptureQueriesContext(connection) as queries:
                found = listed(
                    actor=issuer_of(world), organisation_id=world.region.id, choice=Choice(), order=Order("namn"), after=after,
                    limit=3,
                )  # fmt: skip
            costs.append(len(queries))
            after = found.next
        assert after is None
        assert costs == [7, 8, 8], (
            "the organisation, the cursor's row, the walk in its transaction, whose come first, and the page"
        )
        with django_assert_max_num_queries(15):
            assert page(client, world.region).status_code == 200

    def test_a_page_walks_each_organisation_from_the_cursor(self, world: Any) -> None:
        """No offset; in each organisation a few are read, in the order of an index that begins with the organisation."""
        post = holder(world, "Alm")
        holder(world, "Björk")
        cursor = Eid.objects.get(post=post).pk
        for key, first in (("namn", '"sort_name" >='), ("id", '"hsa_id" >=')):
            with CaptureQueriesContext(connection) as queries:
                listed(actor=issuer_of(world), organisation_id=world.region.id, choice=Choice(), order=Order(key), after=cursor)
            (sql,) = (each["sql"] for each in queries if "UNNEST" in each["sql"] and not each["sql"].startswith("INSERT"))
            assert "OFFSET" not in sql
            assert sql.count("LIMIT 8") == 1
            assert first in sql
            assert sql.count('JOIN "issuance_personscope"') == 1, "the walk's own row of the person, and no second one"

    def test_pages_put_together_are_the_whole_list(
        self, world: Any, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
    ) -> None:
        """However the people lie over the organisations: all in one, in turns, some early and some late.

        By each key, up and down, walked and sorted. These share the holders, since lists only read them.
        """
        monkeypatch.setattr(holders, "_PROBE", 2)
        places = (world.region, world.clinic, world.region, world.region, world.region, world.clinic, world.region, world.clinic)
        for number, place in enumerate(places * 2):
            holder(world, f"Nr{number // 2:02}", place)
        actor = issuer_of(world)
        for few, key, descending in itertools.product((0, 2000), ("namn", "id", "till"), (False, True)):
            choice = Choice(days=10_000) if key == "till" or few else Choice()
            with subtests.test(few=few, key=key, descending=descending), monkeypatch.context() as patched:
                patched.setattr(holders, "_FEW", few)
                require_pages_of_the_whole_list(actor, world.region.id, choice, Order(key, descending), count=16)


def require_pages_of_the_whole_list(actor: Actor, organisation_id: Any, choice: Choice, order: Order, *, count: int) -> None:
    """Reads pages of three forwards to the end, and back to the start."""
    arguments: dict[str, Any] = {"actor": actor, "organisation_id": organisation_id, "choice": choice, "order": order}
    paged, after = [], None
    while True:
        found = listed(**arguments, after=after, limit=3)
        paged += found.lines
        if (after := found.next) is None:
            break
    assert paged == list(Holders(actor, organisation_id, choice).every(order))
    assert len(paged) == count
    back: list[HolderLine] = []
    while found.previous:
        found = listed(**arguments, before=found.previous, limit=3)
        back = [*found.lines, *back]
    assert back == paged[: (count - 1) // 3 * 3], "what lies before the last page"


class TestTheFile:
    def test_it_holds_the_list_and_no_formula(self, world: Any) -> None:
        holder(world, "=HYPERLINK(1)")
        holder(world, "Björk", world.clinic, days=20)
        client = client_of(issuer_of(world))
        head, *rows = file_rows(client, world.region)
        assert head == ["Namn", "HSA-id", "Organisation", "Status", "Giltigt till", "Kontor", "Kortserienummer"]
        assert sorted(row[0] for row in rows) == ["'=HYPERLINK(1), Prov", "Björk, Prov"]
        assert all(len(row[6].replace(" ", "")) == 19 for row in rows)
        assert [row[0] for row in file_rows(client, world.region, inom=30)[1:]] == ["Björk, Prov"]

    def test_list_and_file_are_noted_before(self, world: Any) -> None:
        post = holder(world, "Björk", days=20)
        actor = issuer_of(world)
        client = client_of(actor)
        page(client, world.region, inom=30)
        file_rows(client, world.region, status="active")
        listed, exported = Event.objects.filter(action__startswith="holders.").order_by("id")
        assert (listed.action, exported.action) == ("holders.listed", "holders.exported")
        for event in (listed, exported):
            assert (event.actor_ref, event.subject_type, event.subject_ref) == (actor.ref, "disclosure", str(world.region.id))
        assert listed.facts == {"days": 30, "persons": [str(post.person_id)]}
        assert exported.facts == {"status": "active", "rows": 1}

    def test_it_costs_the_same_for_many(self, world: Any) -> None:
        client, costs = client_of(issuer_of(world)), []
        for surname in ("Alm", "Björk", "Ceder"):
            holder(world, surname)
            with CaptureQueriesContext(connection) as queries:
                file_rows(client, world.region)
            costs.append(len(queries))
        assert len(set(costs)) == 1
        assert costs[0] <= 15
