"""The list of role holders narrowed to an area and to a name, which no address holds and which finds nobody hidden."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.authz import Role
from issuance.people.models.persons import Post
from issuance.records.models.events import Event
from issuance.roles.models.grants import RoleGrant
from issuance.search.models import Search
from siths_portal.lib import clock
from siths_portal.lib.lists.listing import PAGE
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.roles.test_pages import assign, client_of, issuer_of, rows_of

LIST = reverse("role_holders")
EMPTY = "Ingen rollinnehavare"


def names_on(answer: Any) -> list[str]:
    """The names of the listed holders. None of them has logged in, as stands below each name."""
    return [row[0].removesuffix(" Har aldrig loggat in") for row in rows_of(answer)]


def narrowed(client: Client, **chosen: str) -> Any:
    """The list that the form leads to."""
    answer = client.post(LIST, chosen)
    assert answer.status_code == 302, text_of(answer)
    return client.get(answer["Location"])


@pytest.fixture
def people(world: Any) -> Any:
    """Three Almén, one of them in another area, and an Öberg."""
    for surname, role, place in (
        ("Almén", Role.READER, world.region),
        ("Almén Ek", Role.REVOKER, world.city),
        ("Öberg", Role.READER, world.city),
        ("Almén", Role.READER, world.stranger),
    ):
        assign(world, world.post(place, surname=surname).person, role, organisation_id=place.id)
    return world


def test_one_area_of_several(people: Any) -> None:
    admin = client_of(people.officer(role=Role.MASTER_DATA_ADMIN))
    assert 'name="omrade"' in admin.get(LIST).content.decode()
    area = str(people.stranger.area_id)
    answer = narrowed(admin, omrade=area)
    assert answer.request["QUERY_STRING"] == f"omrade={area}"
    assert names_on(answer) == ["Almén, Prov"]
    assert f'value="{area}" selected' in answer.content.decode()
    assert EMPTY in text_of(narrowed(admin, omrade=area, roll="revoker"))


def test_who_has_one_area_chooses_none_and_learns_of_no_other(people: Any) -> None:
    issuer = client_of(issuer_of(people))
    plain = issuer.get(LIST).content.decode()
    assert 'name="omrade"' not in plain
    for area in (people.stranger.area_id, people.stranger.id, "x"):
        assert names_on(issuer.get(f"{LIST}?omrade={area}")) == names_on(issuer.get(LIST))


def test_a_role_rests_in_the_area_that_is_chosen(people: Any) -> None:
    """Who has left one area and works in another is not among those whose role rests there."""
    post = people.post(surname="Flyttad")
    assign(people, post.person, Role.READER)
    RoleGrant.objects.create(person=post.person, role="reader", organisation=people.stranger, valid_from=clock.now())
    admin = client_of(people.officer(role=Role.MASTER_DATA_ADMIN))
    assert names_on(narrowed(admin, visa="vilande", omrade=str(people.stranger.area_id))) == ["Flyttad, Prov"]
    assert EMPTY in text_of(narrowed(admin, visa="vilande", omrade=str(people.area.id)))


def test_a_name_stands_in_no_address_and_goes_with_filters_order_and_pages(
    people: Any, django_assert_max_num_queries: Any
) -> None:
    more = [people.post(surname=f"Almén {chr(97 + number % 26)}{chr(97 + number // 26)}").person for number in range(PAGE)]
    RoleGrant.objects.bulk_create(
        RoleGrant(person=person, role="reader", organisation=people.region, valid_from=clock.now()) for person in more
    )
    admin = client_of(people.officer(role=Role.MASTER_DATA_ADMIN))
    sent = {"name": "  ALMÉN ", "roll": "reader", "omrade": str(people.area.id), "ordning": "-namn", "visa": "alla"}
    with django_assert_max_num_queries(15):
        address = admin.post(LIST, sent)["Location"]
    names: list[str] = []
    search = Search.objects.get()
    while address:
        assert "alm" not in address.lower()
        assert f"sokning={search.pk}" in address
        with django_assert_max_num_queries(15):
            answer = admin.get(address)
        assert 'value="almén"' in answer.content.decode()
        names += names_on(answer)
        heads = re.findall(r'class="sort" href="([^"]+)"', answer.content.decode())
        assert all(f"sokning={search.pk}" in head for head in heads)
        address = answer.context["list"].next_url
    assert len(names) == PAGE + 1
    assert (names[0], names[-1], "Almén, Prov" in names) == ("Almén, Prov", "Almén aa, Prov", True)
    assert "Almén Ek, Prov" not in names


def test_the_same_name_is_looked_for_once_and_counts_as_a_search(people: Any) -> None:
    issuer = issuer_of(people)
    client = client_of(issuer)
    found = narrowed(client, name="almén, p")
    assert names_on(found) == ["Almén, Prov"]
    handle = str(found.context["named"].pk)
    again = narrowed(client, name="Almén, P", sokning=handle, roll="reader")
    assert names_on(again) == ["Almén, Prov"]
    assert Search.objects.count() == 1
    assert Event.objects.filter(action="search.made", actor_ref=issuer.ref).count() == 1
    assert "sokning" not in client.post(LIST, {"name": "", "sokning": handle}).get("Location", "")
    assert names_on(narrowed(client, name="öb", sokning=handle)) == ["Öberg, Prov"]


def test_a_leavers_resting_role_is_found_by_his_name(people: Any) -> None:
    post = people.post(surname="Slutat")
    assign(people, post.person, Role.READER)
    Post.objects.filter(pk=post.pk).update(ended_at=clock.now())
    for shown in ("alla", "vilande", "folj-upp"):
        assert names_on(narrowed(client_of(issuer_of(people)), name="slut", visa=shown)) == ["Slutat, Prov"]


def test_what_cannot_be_looked_for_is_said_and_kept(people: Any, settings: Any) -> None:
    client = client_of(issuer_of(people))
    for name, said in (("a", "minst 2 bokstäver"), ("19121212-1212", "bokstäver"), ("a" * 41, "högst")):
        answer = client.post(LIST, {"name": name, "roll": "reader"})
        assert answer.status_code == 422
        assert said in text_of(answer)
        assert f'value="{name}"' in answer.content.decode()
        assert '<option value="reader" selected>' in answer.content.decode()
    wrong = client.post(LIST, {"name": "almén", "roll": "x", "visa": "y"})
    assert (wrong.status_code, 'value="almén"' in wrong.content.decode()) == (422, True)
    settings.SEARCHES_BY_ENDING_PER_HOUR = 1
    narrowed(client, name="almén")
    answer = client.post(LIST, {"name": "öberg"})
    assert (answer.status_code, 'value="öberg"' in answer.content.decode()) == (429, True)
    assert 0 < int(answer["Retry-After"]) <= 3601


def test_anothers_name_and_a_forgotten_one_say_so(people: Any) -> None:
    client, other = client_of(issuer_of(people)), client_of(people.officer(role=Role.MASTER_DATA_ADMIN))
    handle = narrowed(client, name="almén").context["named"].pk
    assert names_on(client.get(f"{LIST}?sokning={handle}")) == ["Almén Ek, Prov", "Almén, Prov"]
    for unknown in (handle, people.area.id, "x"):
        answer = other.get(f"{LIST}?sokning={unknown}")
        assert "Namnet är inte kvar. Skriv det igen." in text_of(answer)
        assert 'value="almén"' not in answer.content.decode()


def test_s13_a_protected_holder_is_no_hit_under_the_filters(people: Any) -> None:
    """The same page and the same queries as for a name that nobody has; who has the add-on finds him."""
    secret = people.post(people.city, surname="Hemligsson", protected=True).person
    assign(people, secret, Role.ID_ADMINISTRATOR, organisation_id=people.city.id, protected_persons=True)
    client, moment = client_of(issuer_of(people)), clock.now()

    def asked(name: str, shown: str) -> tuple[str, list[str]]:
        with clock.moved_to(moment), CaptureQueriesContext(connection) as queries:
            answer = narrowed(client, name=name, visa=shown)
        handle = answer.context["named"].pk
        body = answer.content.decode().replace(str(handle), "").replace(name, "")
        hidden = re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"|nonce="[^"]+"')
        return hidden.sub("", body), [re.sub(r"'[^']*'(::\\w+)?", "?", query["sql"]) for query in queries]

    for shown in ("alla", "folj-upp", "stoppade", "vilande"):
        hidden, missing = asked("hemligsson", shown), asked("hemligssin", shown)
        assert EMPTY in hidden[0]
        assert hidden == missing
    holder = client_of(issuer_of(people, protected=True))
    assert names_on(narrowed(holder, name="hemligsson")) == ["Hemligsson, Prov"]


def test_s46_a_name_that_nobody_shown_has_leaves_at_the_end_of_a_step(people: Any, held: list[float]) -> None:
    assign(people, people.post(people.city, surname="Hemligsson", protected=True).person, organisation_id=people.city.id)
    client = client_of(issuer_of(people))
    for name in ("hemligsson", "hemligssin"):
        held.clear()
        assert EMPTY in text_of(narrowed(client, name=name))
        assert len(held) == 2, "the search and its page"
    held.clear()
    address = client.post(LIST, {"name": "öberg"})["Location"]
    assert len(held) == 1, "who is found has a page that says so"
    assert names_on(client.get(address)) == ["Öberg, Prov"]
    assert len(held) == 1
