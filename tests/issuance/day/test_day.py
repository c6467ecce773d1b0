"""Dagen: what waits for each role within its scope, the own day, the number in the menu, and the lists behind the lines."""

import datetime as dt
import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.authz import Action, Actor, Role
from issuance.authz.roles import ALLOWED
from issuance.carriers.models import Carrier, Eid
from issuance.day.queries import cards, overview
from issuance.day.queries.counting import Counted, Sent
from issuance.offices.services import connect_office, create_office, disconnect_office
from issuance.operators.web import health
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import Person, Post
from issuance.records.models.events import Event
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from siths_portal.lib import clock
from siths_portal.lib.pages import day as work
from siths_portal.lib.pages.dates import in_words
from tests.access.targets import eid_order
from tests.issuance.world import SETUP
from tests.portal import portal_client

MOST_QUERIES = 15
LISTS = ("day_sent", "day_unsigned", "day_orders", "day_ending", "day_to_fetch")
RIGHTS = {
    "day_sent": Action.ACTIVATE_ORDINARY_CARD,
    "day_unsigned": Action.ACTIVATE_ORDINARY_CARD,
    "day_to_fetch": Action.ORDER_EID,
}
"""Those of the lists that the right to order cards does not open."""


def client_of(actor: Actor) -> Client:
    return portal_client(Person.objects.get(pk=actor.person_id))


def shown(client: Client, address: str = "/dagen/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    body: str = answer.content.decode()
    return body


def titles(body: str) -> list[str]:
    """What waits: the deep panel of those without a search of their own, then line by line."""
    first = re.findall(r'<section class="deep".*?<h2 id="nasta-steg">([^<]*)</h2>', body, re.DOTALL)
    to_do = "".join(body.split('id="att-gora"')[1:]).split("</section>")[0]
    return first + re.findall(r'class="row-title">(?:\s*<svg.*?</svg>\s*)?<a class="ds-link" href="[^"]*">([^<]*)</a>', to_do)


def card(world: Any, post: Post, *, actor: Actor | None = None, **values: Any) -> Carrier:
    order = world.order(post, actor=actor)
    Carrier.objects.filter(pk=order.carrier_id).update(**values)
    return Carrier.objects.get(pk=order.carrier_id)


def days_ago(days: int) -> dt.datetime:
    """This time of the day in Stockholm, so many days ago: another day may lie in summer time."""
    return clock.now().astimezone(clock.STOCKHOLM) - dt.timedelta(days=days)


def sent(world: Any, post: Post, *, days_left: int, actor: Actor | None = None) -> Carrier:
    return card(world, post, actor=actor, state="sent", sent_at=days_ago(90 - days_left))


def unsigned(world: Any, post: Post, *, days_left: int, serial: str = "", actor: Actor | None = None) -> Carrier:
    chosen = days_ago(5 - days_left)
    return card(world, post, actor=actor, state="activated_unsigned", sent_at=chosen, code_set_at=chosen, card_serial=serial)


def ending(world: Any, post: Post, *, actor: Actor | None = None) -> None:
    """An eID in use that ends in 20 days, and the order of one that renews it, which waits for the holder."""
    found, now = card(world, post, actor=actor, state="active", origin="migrated"), clock.now()
    Eid.objects.filter(carrier=found).update(
        state="active", activated_at=now, valid_from=now, valid_to=now + dt.timedelta(days=20)
    )
    eid_order(Eid.objects.get(carrier=found))


def test_the_lines_of_a_clerk_by_urgency(world: Any, django_assert_max_num_queries: Any) -> None:
    clerk = world.officer()
    unsigned(world, world.post(given_name="Gustaf", surname="Lind"), days_left=0, serial="9" * 15 + "6120")
    sent(world, world.post(surname="Ek"), days_left=3)
    sent(world, world.post(surname="Al"), days_left=60)
    drafted = world.post(given_name="Maja", surname="Sand")
    OrderDraft.objects.create(person=drafted.person, owner_ref=clerk.ref, created_at=clock.now(), updated_at=clock.now())
    for state in ("returned", "failed"):
        CardOrder.objects.filter(pk=world.order(world.post(surname=state.capitalize())).pk).update(state=state)
    ending(world, world.post(surname="Rönn"))
    client = client_of(clerk)
    with django_assert_max_num_queries(MOST_QUERIES):
        body = shown(client)
    assert titles(body) == [
        "Gustaf Lind",
        "Maja Sand",
        "Prov Ek",
        "Prov Returned",
        "Prov Failed",
        "Prov Al",
        "Prov Rönn",
        "Prov Rönn",
    ]
    sent_on, last_day = (in_words(clock.today() + dt.timedelta(days=days)) for days in (3 - 90, 3))
    assert f"skickades {sent_on} och är inte aktiverat. Sista dagen är {last_day}." in body
    assert re.findall(r'<span class="ds-tag[^>]*>.*?<span>([^<]+)</span>', body, re.DOTALL) == [
        "Spärras i kväll", "3 dagar kvar", "I retur", "Misslyckades",
    ]  # fmt: skip
    named = Event.objects.get(action="work.listed", subject_ref="day").facts["persons"]
    assert len(named) == 7, "the page records everybody whom its lines name"
    assert re.findall(r'class="row-group">([^<]+)<', body) == ["I dag", "Den här veckan", "När du hinner"]
    assert "Spärras i kväll" in body
    assert "Kortet som slutar på 6120" in body
    assert "8 saker väntar på dig." in body
    assert "1 behöver göras i dag." in body
    for address in re.findall(r'<a class="ds-button row-act"[^>]* href="([^"]+)"', body):
        with django_assert_max_num_queries(MOST_QUERIES):
            assert client.get(address).status_code in (200, 302), address


def test_what_is_done_no_longer_waits(world: Any) -> None:
    post = world.post()
    order = world.order(post)
    CardOrder.objects.filter(pk=order.pk).update(state="returned")
    client = client_of(world.officer())
    assert titles(shown(client)) == ["Prov Provsson"]
    again = reverse("order_remake", args=[order.pk])
    assert f'<a class="ds-link" href="{again}">Gör om kortet</a>' in shown(client, reverse("day_orders"))
    world.order(post)
    body = shown(client)
    assert titles(body) == []
    assert "Inget väntar på dig." in body


def test_few_persons_have_lines_and_a_list_has_the_others(world: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(cards, "PERSONS", 1)
    other = world.officer(role=Role.DEPUTY_ISSUER)  # so that none of them is among the clerk's last persons
    for index in range(3):
        unsigned(world, world.post(surname=f"Ek{index}"), days_left=index, serial=f"{index}" * 19, actor=other)
    client = client_of(world.officer())
    assert titles(shown(client)) == ["Prov Ek0", "2 kort till väntar på underskrift"]
    listed = shown(client, reverse("day_unsigned"))
    assert re.findall(r'<th scope="row"><a[^>]*>([^<]+)</a>', listed) == ["Ek0, Prov", "Ek1, Prov", "Ek2, Prov"]
    assert "Fortsätt aktivera" in listed
    told = Event.objects.get(action="work.listed", subject_ref="unsigned")
    assert len(told.facts["persons"]) == 3
    assert len(Event.objects.get(action="work.listed", subject_ref="day").facts["persons"]) == 1


def test_nothing_outside_the_scope_and_nobody_hidden_is_in_a_line_or_list(world: Any) -> None:
    everywhere = world.officer(protected=True)
    hidden = world.post(protected=True, given_name="Hemlig", surname="Hemligsson")
    unsigned(world, hidden, days_left=1, serial="1" * 19, actor=everywhere)
    sent(world, hidden, days_left=1, actor=everywhere)
    ending(world, hidden, actor=everywhere)
    CardOrder.objects.filter(pk=world.order(hidden, actor=everywhere).pk).update(state="failed")
    for actor in (world.officer(), world.officer(world.city, protected=True)):
        client = client_of(actor)
        assert titles(shown(client)) == []
        for name in LISTS:
            assert "<tbody>" not in shown(client, reverse(name))
    body = shown(client_of(world.officer(role=Role.RESPONSIBLE_ISSUER)))
    assert re.findall(r"<dd>([^<]+)</dd>", body) == ["0", "0", "0"]
    assert 'id="kort-per-vecka"' not in body
    assert 'id="kontoren"' not in body
    body = shown(client_of(everywhere))
    assert titles(body) == ["Skyddad person"] * 5
    assert body.count("#lock") == 6, "also among the last persons"
    assert "Hemlig" not in body
    for name in LISTS:
        listed = shown(client_of(everywhere), reverse(name))
        assert "Skyddad person" in listed
        assert "Hemlig" not in listed


def test_an_officer_for_reserve_cards_is_told_of_the_eids_to_fetch(world: Any) -> None:
    ending(world, world.post())
    client = client_of(world.officer(role=Role.RESERVE_CARD_ADMIN_LOA2))
    assert titles(shown(client)) == ["Prov Provsson"]
    assert "Provsson" in shown(client, reverse("day_to_fetch"))
    other = client_of(world.officer(world.city, role=Role.RESERVE_CARD_ADMIN_LOA2))
    assert titles(shown(other)) == []


def test_nobody_is_told_of_a_card_of_their_own(world: Any) -> None:
    clerk, other = world.officer(), world.officer(role=Role.DEPUTY_ISSUER)
    own = Post.objects.get(person=clerk.person_id)
    unsigned(world, own, days_left=1, serial="1" * 19, actor=other)
    sent(world, own, days_left=1, actor=other)
    ending(world, own, actor=other)
    CardOrder.objects.filter(pk=world.order(own, actor=other).pk).update(state="failed")
    assert titles(shown(client_of(clerk))) == []
    assert titles(shown(client_of(other))).count("Handläggare Provsson") == 5
    for name in LISTS:
        assert "<tbody>" not in shown(client_of(clerk), reverse(name))
        assert "Provsson, Handläggare" in shown(client_of(other), reverse(name))


def test_the_list_of_sent_cards_can_be_narrowed(world: Any) -> None:
    for surname, left in (("Ek", 0), ("Al", 7), ("Lönn", 8)):
        sent(world, world.post(surname=surname), days_left=left)
    client = client_of(world.officer())
    for within, names in (("0", ["Ek"]), ("7", ["Ek", "Al"]), ("", ["Ek", "Al", "Lönn"])):
        listed = shown(client, f"{reverse('day_sent')}?inom={within}")
        assert re.findall(r'<th scope="row"><a[^>]*>([^<,]+),', listed) == names
        assert 'aria-current="page">' in listed.split("list-views")[1].split("</nav>")[0]
    views = re.findall(r'">([^<>]+) <span class="count( count-urgent)?">(\d+)<', listed.split("list-views")[1])
    assert views == [
        ("Alla", "", "3"), ("Spärras i kväll", " count-urgent", "1"), ("Inom 7 dagar", " count-urgent", "2"),
        ("Inom 30 dagar", "", "3"),
    ]  # fmt: skip
    assert "2 kort spärras inom 7 dagar." in listed
    assert re.findall(r'</svg>([^<]+) <span class="number">(\d+)<', listed) == [("Inom 7 dagar", "2"), ("Inom 30 dagar", "1")]
    assert titles(shown(client)) == ["Prov Ek", "Prov Al", "Prov Lönn"]
    assert "Inget kort spärras så snart" in shown(client_of(world.officer(world.city)), f"{reverse('day_sent')}?inom=7")


def test_the_list_of_sent_cards_can_be_of_one_office(world: Any, django_assert_max_num_queries: Any) -> None:
    other = create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
    assert 'name="kontor"' not in shown(client_of(world.officer()), reverse("day_sent")), "one office is no choice"
    connect_office(actor=SETUP, organisation_id=world.region.id, office_id=other.id)
    for surname, left, office in (("Ek", 3, world.office), ("Al", 3, other), ("Lönn", 60, other)):
        order = world.order(world.post(surname=surname), office=office)
        Carrier.objects.filter(pk=order.carrier_id).update(state="sent", sent_at=days_ago(90 - left))
    client, narrowed = client_of(world.officer()), f"{reverse('day_sent')}?kontor={other.pk}"
    with django_assert_max_num_queries(MOST_QUERIES):
        listed = shown(client, narrowed)
    assert re.findall(r'<th scope="row"><a[^>]*>([^<,]+),', listed) == ["Al", "Lönn"]
    assert re.findall(r'class="history-fact">([^<]+)<', listed) == ["Kontor B", "Kontor B"]
    assert f"?inom=7&amp;kontor={other.pk}" in listed
    assert re.findall(r'class="count[^"]*">(\d+)<', listed.split("list-views")[1]) == ["2", "0", "1", "1"]
    assert "Nästa kort spärras efter" in shown(client, f"{narrowed}&inom=0")
    assert 'id="kontoren"' not in shown(client), "clerks are in charge of no office"
    issuer = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
    with django_assert_max_num_queries(MOST_QUERIES):
        body = shown(issuer)
    assert re.findall(r"<dt>([^<]+)<small>([^<]+)</small></dt><dd>([^<]+)</dd>", body) == [
        ("skickade kort väntar på aktivering", "2 kort spärras inom 7 dagar.", "3"),
        ("SITHS eID slutar gälla", "inom 30 dagar", "0"),
        ("beställningar att göra om", "från de senaste 60 dagarna", "0"),
    ]
    assert re.search(r'id="kort-per-vecka">3 kort spärras inom \d+ veckor om de inte aktiveras<', body)
    places = re.findall(r'row-number late">(\d+)<.*?href="([^"]+)">([^<]+)<', body.split('id="kontoren"')[1], re.DOTALL)
    links = [f"{reverse('day_sent')}?kontor={office.pk}" for office in (other, world.office)]
    assert places == [("2", links[0], "Kontor B"), ("1", links[1], "Kontor A")]
    assert "Lönn" in shown(issuer, links[0])
    Carrier.objects.filter(item__order__office=other).update(state="active", origin="migrated")
    assert "beställda genom kontoret är aktiverade" in shown(client, narrowed)
    assert client.get(f"{reverse('day_sent')}?kontor={world.area.pk}").status_code == 422
    disconnect_office(actor=SETUP, organisation_id=world.region.id, office_id=world.office.id)
    assert "<span>Kontor A</span>" in shown(issuer), "no list is of an office that nobody can choose"


def test_a_persons_last_act_and_the_numbers_of_the_day(world: Any) -> None:
    clerk = world.officer()
    client = client_of(clerk)
    seen, ordered, revoked = (world.post(surname=surname) for surname in ("Ek", "Al", "Lönn"))
    client.get(reverse("person", args=[seen.person_id]))
    world.order(ordered)
    lost = card(world, revoked, card_serial="1" * 15 + "7731", state="active", origin="migrated")
    revocation.revoke_carrier(actor=clerk, carrier_id=lost.pk, reason=RevocationReason.REPLACED)
    client.get(reverse("person", args=[ordered.person_id]))
    body = shown(client)
    recent = body.split('id="senast"')[1]
    assert re.findall(r'href="[^"]*">([^<]+)</a></p>\s*<p class="row-text">([^<]+)<', recent) == [
        ("Prov Al", "Beställde ett kort"),
        ("Prov Lönn", "Spärrade kortet som slutar på 7731"),
        ("Prov Ek", "Visade"),
    ]
    told = Event.objects.get(action="work.listed", subject_ref="day").facts["persons"]
    assert set(told) == {str(post.person_id) for post in (seen, ordered, revoked)}
    figures = dict(re.findall(r"<dt>([^<]+)</dt><dd>(\d+)</dd>", body))
    assert figures == {"aktiverade i dag": "0", "beställda": "2", "spärrade": "1"}
    with clock.moved_to(clock.now() + dt.timedelta(days=1)):
        tomorrow = shown(client_of(clerk))
    assert "Prov Ek" not in tomorrow.split('id="senast"')[1]


def test_who_went_out_of_sight_is_no_longer_among_the_last_persons(world: Any) -> None:
    post = world.post(surname="Ek")
    client = client_of(world.officer())
    client.get(reverse("person", args=[post.person_id]))
    assert "Prov Ek" in shown(client)
    Person.objects.filter(pk=post.person_id).update(is_protected=True, protected_person_indicator=True)
    assert "Prov Ek" not in shown(client)


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_its_start(world: Any, role: Role, django_assert_max_num_queries: Any) -> None:
    client = client_of(world.officer(role=role))
    with django_assert_max_num_queries(MOST_QUERIES):
        body = shown(client)
    searches = Action.VIEW in ALLOWED[role]
    desk = searches and Action.ASSIGN_ROLE not in ALLOWED[role]
    assert ('id="id_text"' in body) is desk
    assert ('id="nasta-person"' in body) is (searches and not desk)
    assert ('id="senast"' in body) is desk
    assert body.count("autofocus") == 2, "the field or the heading, and the warning of the session, which is closed"
    assert client.get("/").url == "/dagen/"
    for name in LISTS:
        right = RIGHTS.get(name, Action.ORDER_ORDINARY_CARD)
        assert client.get(reverse(name)).status_code == (200 if right in ALLOWED[role] else 403)


def test_an_issuer_is_told_at_once_that_his_area_has_steps_left(world: Any, django_assert_max_num_queries: Any) -> None:
    """Until it is in use; clerks are asked nothing about it."""
    issuer = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
    told = "Det finns steg kvar att göra i utgivningsområdet"
    with django_assert_max_num_queries(MOST_QUERIES):
        body = shown(issuer)
    assert titles(body)[0] == "Regionen"
    assert told in body.split('class="deep"')[1].split("</section>")[0]
    assert reverse("area", args=[world.area.id]) in body
    clerk = client_of(world.officer())
    with CaptureQueriesContext(connection) as asked:
        assert told not in shown(clerk)
    assert not [query for query in asked.captured_queries if 'FROM "issuance_issuingarea"' in query["sql"]]
    world.order()
    assert told not in shown(issuer)


def test_the_number_in_the_menu_is_that_of_the_last_visit(world: Any, django_assert_num_queries: Any) -> None:
    unsigned(world, world.post(), days_left=0, serial="1" * 19)
    client = client_of(world.officer())

    def count(address: str) -> list[str]:
        return re.findall(r'class="count( count-urgent)?">(\d+)<', shown(client, address))

    assert count("/sok/") == []
    assert count("/dagen/") == count("/sok/") == [(" count-urgent", "1")]
    with clock.moved_to(clock.now() + dt.timedelta(minutes=6)):
        assert count("/sok/") == [], "a number that may be wrong is not shown"


def test_the_menu_counts_what_waits_on_other_pages(world: Any) -> None:
    """Up to a number that fits."""
    session: dict[str, Any] = {}
    request: Any = SimpleNamespace(session=session)
    lines = [
        work.Line(urgency=work.Urgency.TODAY, title="", url="/", text="", icon="day", action="", tab=tab, count=count)
        for tab, count in (("", 1), ("stock", 2), ("stock", 1), ("register_care", 100))
    ]
    assert work.remember(request, lines) == work.Waiting(4, 4)
    assert {tab: each.shown for tab, each in work.remembered(request).items()} == {
        "day": "4", "stock": "3", "register_care": "99+",
    }  # fmt: skip


def test_the_overview_of_more_cards_than_are_counted_ends_with_a_whole_week(monkeypatch: Any) -> None:
    monkeypatch.setattr(cards, "MOST", 3)
    with clock.moved_to(dt.datetime(2026, 12, 7, 12, tzinfo=clock.STOCKHOLM)):
        whole, cut = (overview.of(Counted([Sent(left, "", "A") for left in each])) for each in ((0, 6, 8), (0, 6, 8, 15)))
    for found in (whole, cut):
        assert found.chart
        assert [(point.short, point.text) for point in found.chart.points] == [("v. 50", "2"), ("v. 51", "1")]
        assert found.chart_title == "3 kort spärras inom 2 veckor om de inte aktiveras"
        assert [place.number for place in found.places] == ["3"]
    assert (whole.places_note, cut.places_note) == ("", "De 3 kort som spärras först.")
    assert overview.of(Counted()).chart is None


def test_lines_are_grouped_and_counted() -> None:
    def line(urgency: work.Urgency) -> work.Line:
        return work.Line(urgency=urgency, title=urgency.name, url="/", text="", icon="day", action="Visa")

    lines = [line(work.Urgency.LATER), line(work.Urgency.TODAY), line(work.Urgency.LATER)]
    assert [(str(group.heading), len(group.rows)) for group in work.grouped(lines)] == [("I dag", 1), ("När du hinner", 2)]
    assert [each.color for each in lines] == ["", "urgent", ""]


def test_finance_and_operators_are_told_what_stops_them(world: Any, monkeypatch: Any) -> None:
    finance, operator = client_of(world.officer(role=Role.FINANCE_ADMIN)), client_of(world.officer(role=Role.PKI_OPERATOR))
    assert titles(shown(finance)) == ["2 kunder kan inte faktureras"], "nobody has customer data"
    assert titles(shown(operator)) == ["Driftläget behöver ses över"], "nothing was ever checked"
    monkeypatch.setattr(health, "headline", lambda _actor: "")
    body = shown(operator)
    assert titles(body) == []
    assert "Inget väntar på dig." in body
    assert titles(shown(client_of(world.officer(role=Role.GLOBAL_READER)))) == []
