"""The search page over HTTP: where a search leads, what it costs, and that nothing searched stands in an address or a title."""

import html
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from issuance.authz import Actor, Role
from issuance.carriers.domain import kinds
from issuance.carriers.models import Carrier
from issuance.people.models.persons import Person, Post
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from issuance.search.models import Search
from issuance.search.web.lists import HitList
from tests.issuance.world import person_number
from tests.portal import portal_client, sign_in

SERIAL = "9876654132532143214"
REASON = "Innehavaren har ringt och vill spärra"


def client_of(actor: Actor) -> Client:
    return portal_client(Person.objects.get(pk=actor.person_id))


def number_of(post: Post) -> str:
    return str(post.person.identifiers.get().value)


def look(client: Client, text: str, **fields: str) -> Any:
    return client.post("/sok/", {"text": text, **fields})


def title(answer: Any) -> str:
    return re.search(r"<title>(.*?)</title>", answer.content.decode(), re.DOTALL)[1]  # type: ignore[index]


def test_one_hit_goes_straight_to_the_person(world: Any, django_assert_max_num_queries: Any) -> None:
    post = world.post()
    client = client_of(world.officer())
    for text in (number_of(post), f" {number_of(post)[:8]}-{number_of(post)[8:]}\r", post.hsa_id[-6:]):
        with django_assert_max_num_queries(15):
            answer = look(client, text)
        assert answer.status_code == 302
        assert answer.url == f"/sok/person/{post.person_id}/"
    with django_assert_max_num_queries(15):
        assert client.get("/sok/").status_code == 200


def test_four_digits_that_open_a_person_may_be_meant_as_a_cards(world: Any) -> None:
    post, client = world.post(), client_of(world.officer())
    Post.objects.filter(pk=post.pk).update(hsa_id=f"{post.hsa_id[:-4]}9871")
    told = "Skriv alla 19 siffror för att hitta ett kort."
    for text, is_told in (("9871", True), (f"{post.hsa_id[-5]}9871", False)):
        answer = client.post("/sok/", {"text": text}, follow=True)
        assert (told in answer.content.decode()) is is_told
        assert answer.redirect_chain[0][0] == f"/sok/person/{post.person_id}/"


def test_a_scanned_card_opens_on_the_persons_page(world: Any) -> None:
    order = world.order()
    Carrier.objects.filter(pk=order.carrier_id).update(card_serial=SERIAL)
    answer = look(client_of(world.officer()), "]C19876 6541 325 3214 3214")
    assert answer.url == f"/sok/person/{order.carrier.person_id}/?barare={order.carrier_id}"


def test_a_scanned_card_opens_in_every_state(world: Any) -> None:
    client, post = client_of(world.officer()), world.post()
    for number, state in enumerate(sorted(set(kinds.kind_of("ordinary_card").transitions.values()))):
        serial, pk = f"975{number:016}", world.order(post).carrier_id
        Carrier.objects.filter(pk=pk).update(card_serial=serial, origin="migrated", state=state)
        answer = client.post("/sok/", {"text": serial}, follow=True)
        assert answer.redirect_chain == [(f"/sok/person/{post.person_id}/?barare={pk}", 302)], state
        assert re.findall(r'carrier-found" id="barare-([0-9a-f-]{36})"', answer.content.decode()) == [str(pk)], state


def test_a_revoked_card_opens_in_red_and_an_order_id_too(world: Any) -> None:
    order = world.order()
    carrier = Carrier.objects.get(pk=order.carrier_id)
    Carrier.objects.filter(pk=carrier.pk).update(card_serial=SERIAL)
    officer = world.officer()
    client = client_of(officer)
    card_page = f"/sok/person/{carrier.person_id}/?barare={carrier.pk}"
    for revoked in (False, True):
        if revoked:
            revocation.revoke_carrier(actor=officer, carrier_id=carrier.pk, reason=RevocationReason.REPLACED)
        for text in (SERIAL, str(order.pk)):
            assert look(client, text).url == card_page
            body = client.get(card_page).content.decode()
            (found,) = re.findall(r'<article class="carrier carrier-found".*?</article>', body, re.DOTALL)
            assert f'id="barare-{carrier.pk}"' in found
            for mark in ("Kortet spärrades", "status-revoked", 'data-color="danger"'):
                assert (mark in found) is revoked, mark


def test_no_hit_keeps_the_field_and_says_what_to_try(world: Any, django_assert_max_num_queries: Any) -> None:
    client = client_of(world.officer())
    for text, kept, advice in (
        ("18900101-9802", "18900101-9802", "har numret"),
        ("18900101-9802", "18900101-9802", "bara för rollinnehavare med Sekretess"),
        ("qqqq", "qqqq", "heter så eller har ett tjänste-id med det slutet"),
        ("q9q9", "Q9Q9", "tjänste-id med det slutet"),
        ("01A226B4A04275F7857ED0E11B15C1C8", "01a226b4-a042-75f7-857e-d0e11b15c1c8", "har det beställnings-id:t"),
        (SERIAL, "9876 6541 325 3214 3214", "har det serienumret"),
        (SERIAL, "9876 6541 325 3214 3214", "Är det ett reservkort i lager?"),
    ):
        answer = look(client, text)
        assert answer.url.startswith("/sok/traffar/")
        with django_assert_max_num_queries(15):
            page = client.get(answer.url)
        body = page.content.decode()
        assert page.status_code == 200
        assert f'value="{kept}"' in body
        assert '<div class="empty">' in body
        assert advice in body
        assert "Utökat sökomfång" in body
        assert text not in title(page) + answer.url


def test_several_hits_are_a_list_with_pages(world: Any, monkeypatch: Any, django_assert_max_num_queries: Any) -> None:
    monkeypatch.setattr(HitList, "page_size", 2)
    for index, surname in enumerate(("Öberg", "Ek", "Åberg")):
        post = world.post(surname=surname)
        Post.objects.filter(pk=post.pk).update(hsa_id=f"TST2321000131-{index}XQZ")
    client = client_of(world.officer())
    address = look(client, "xqz").url
    with django_assert_max_num_queries(15):
        first = client.get(address).content.decode()
    assert re.findall(r"<th scope=\"row\">.*?>(\w+, \w+)</a>", first) == ["Ek, Prov", "Åberg, Prov"]
    assert "3 träffar" in first
    assert re.search(r"18\d{6}-\d{4}", first)
    following = html.unescape(re.search(r'href="([^"]+efter=[0-9a-f-]{36})"', first)[1])  # type: ignore[index]
    with django_assert_max_num_queries(15):
        second = client.get(following).content.decode()
    assert "Öberg, Prov" in second
    assert "Ek, Prov" not in second
    assert "efter=" not in second
    assert "Från början" in second
    assert client.get(f"{address}?efter=nonsense").content.decode().count('scope="row"') == 2


def test_s14_too_many_hits_ask_for_more_characters(world: Any, settings: Any) -> None:
    settings.SEARCH_MAX_HITS = 1
    for index in range(2):
        post = world.post()
        Post.objects.filter(pk=post.pk).update(hsa_id=f"TST2321000131-{index}XQZ")
    client = client_of(world.officer())
    body = client.get(look(client, "xqz").url).content.decode()
    assert "För många träffar" in body
    assert 'scope="row"' not in body


def test_what_cannot_be_searched_for_comes_back_onto_the_form(world: Any, subtests: pytest.Subtests) -> None:
    """One officer for all, since none of the texts may begin a search."""
    client = client_of(world.officer())
    for text, words in (
        ("", "Skriv ett person-id"),
        ("18900101-9803", "Den sista siffran stämmer inte"),
        ("12", "minst de 3 sista tecknen"),
        ("98766541325321432", "har 19 siffror"),
        ("x" * 101, "högst 100 tecken"),
    ):
        with subtests.test(text=text):
            answer = look(client, text)
            body = answer.content.decode()
            assert answer.status_code == 422
            assert "<title>Fel: " in body
            summary = re.search(r'<li><a[^>]*href="#id_text">(.*?)</a>', body)
            at_field = re.search(r"Fel: </span>(.*?)</p>", body)
            assert summary is not None
            assert at_field is not None
            assert words in summary[1]
            assert words in at_field[1]
            assert body.index("ds-error-summary") < body.index("<h1>")
            assert f'value="{text}"' in body
            assert 'aria-invalid="true"' in body
            assert "id_text_helptext id_text_error" in body
            assert not Search.objects.exists()


def test_a_handle_opens_in_its_own_session_alone(world: Any) -> None:
    officer = Person.objects.get(pk=world.officer().person_id)
    client = portal_client(officer)
    address = look(client, "qqqq").url
    assert client.get(address).status_code == 200
    stranger = client_of(world.officer(world.city))
    unknown = f"/sok/traffar/{uuid.uuid4()}/"
    assert (stranger.get(address).status_code, stranger.get(unknown).status_code) == (404, 404)
    again = sign_in(Client(), officer)
    assert again.get(address).status_code == 404
    assert Client().get(address).url.startswith("/logga-in/")


@pytest.mark.personal_addresses
def test_get_searches_nothing(world: Any) -> None:
    post = world.post()
    client = client_of(world.officer())
    answer = client.get("/sok/", {"text": number_of(post)})
    assert answer.status_code == 200
    assert str(post.person_id) not in answer.content.decode()
    assert not Search.objects.exists()
    assert client.put("/sok/").status_code == 405


class TestExtended:
    def test_s15_it_needs_a_reason_and_then_opens_the_person(self, world: Any) -> None:
        post = world.post(world.stranger)
        client = client_of(world.officer())
        assert client.get(look(client, number_of(post)).url).status_code == 200
        assert client.get(reverse("person", args=[post.person_id])).status_code == 404
        refused = look(client, number_of(post), extended="on")
        assert refused.status_code == 422
        assert 'href="#id_reason"' in refused.content.decode()
        answer = look(client, number_of(post), extended="on", reason=REASON)
        page = client.get(answer.url)
        assert page.status_code == 200
        assert "utökat sökomfång" in page.content.decode()
        assert client_of(world.officer(world.city)).get(answer.url).status_code == 404

    def test_it_is_not_offered_to_those_who_may_not(self, world: Any) -> None:
        client = client_of(world.officer(role=Role.READER))
        assert "Utökat" not in client.get("/sok/").content.decode()
        answer = look(client, "qqqq", extended="on", reason=REASON)
        assert answer.status_code == 403
        assert "tillåter inte utökat sökomfång" in answer.content.decode()
        assert "Utökat" not in client.get(look(client, "qqqq").url).content.decode()


def test_s14_a_spent_budget_is_a_page_that_says_what_to_do(world: Any, settings: Any) -> None:
    settings.SEARCHES_PER_HOUR = 1
    client = client_of(world.officer())
    look(client, "qqqq")
    answer = look(client, person_number().value)
    assert answer.status_code == 429
    assert 3500 <= int(answer["Retry-After"]) <= 3601
    body = answer.content.decode()
    assert "Vänta en stund och sök igen" in body
    assert "Logga ut" in body, "inside the frame"


def test_s46_what_found_nothing_leaves_at_the_end_of_a_step(world: Any, held: list[float]) -> None:
    hidden, seen, client = world.post(world.stranger), world.post(), client_of(world.officer())
    for text in (number_of(hidden), person_number().value):
        held.clear()
        page = client.get(look(client, text).url)
        assert page.status_code == 200
        assert len(held) == 2, "the search and its page"
    held.clear()
    client.get(look(client, number_of(seen)).url)
    assert held == []
    assert client.get(reverse("person", args=[hidden.person_id])).status_code == 404
    assert len(held) == 1


def test_s13_a_protected_person_looks_like_no_hit(world: Any) -> None:
    post = world.post(protected=True)
    client = client_of(world.officer())
    pages = []
    for text in (number_of(post), person_number().value):
        body = client.get(look(client, text).url).content.decode()
        pages.append(re.sub(r'value="[^"]*"|[0-9a-f]{32}|[0-9a-f-]{36}|\d{8}-\d{4}(?=</h2>)', "", body).replace(text, ""))
    assert pages[0] == pages[1]
    assert look(client_of(world.officer(protected=True)), number_of(post)).url == f"/sok/person/{post.person_id}/"
