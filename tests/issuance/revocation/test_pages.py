"""Revocation by the pages: the request, its proof, one effect, and when relying parties see it."""

import datetime as dt
import re
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from authn.models import Session
from issuance.authz import Role, system
from issuance.carriers.models import Carrier, Eid
from issuance.imports.services import migration
from issuance.people.models.persons import Person
from issuance.people.models.photos import Photo
from issuance.records.models.events import Document, Event
from issuance.register_care.models import WorkItem
from issuance.revocation.services.revocation import known_since
from issuance.revocation.web.forms import RevocationForm, empty_form
from pki.models import Revocation
from siths_portal.lib import clock
from siths_portal.lib.pages.dates import in_words
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.person_page.test_pages import client_of, text_of
from tests.pressing import ENTER

pytestmark = pytest.mark.usefixtures("authorities")


@pytest.fixture
def card(world: Any) -> Carrier:
    """An active card of a person in the region."""
    return migration.register_migrated_card(actor=system("migration"), card=migrated_card(world.post()), ca=CA)


def fields(**changes: Any) -> dict[str, Any]:
    """A request as the form sends it."""
    now = clock.now().astimezone(clock.STOCKHOLM)
    return {
        "reason": "lost_or_stolen", "justification": "", "requester": "holder", "requester_name": "", "channel": "phone",
        "received_at": f"{now:%Y-%m-%dT%H:%M}",
    } | changes  # fmt: skip


def proof(carrier: Carrier) -> str:
    """What the clerk types to confirm: the end of the card's number, or of the holder's where the card has none."""
    return carrier.card_serial[-4:] or carrier.holder.identifiers.get().value[-4:]


def revoke(client: Client, carrier: Carrier, **changes: Any) -> Any:
    return client.post(reverse("carrier_revoke", args=[carrier.id]), fields(confirm=proof(carrier)) | changes)


def state_of(carrier: Carrier) -> str:
    carrier.refresh_from_db()
    return carrier.state


def test_the_form_tells_what_follows_and_offers_the_reasons_that_people_may_give(world: Any, card: Carrier) -> None:
    page = client_of(world.officer()).get(reverse("carrier_revoke", args=[card.id]))
    text = text_of(page)
    for expected in (
        "Spärren är slutgiltig.", "klipp det genom chippet", "Dessa SITHS eID spärras samtidigt", card.eids.get().hsa_id,
        "Förlorat eller stulet", "Misstanke om obehörig användning", "Avslutad anställning eller uppdrag",
        "Ändrade uppgifter, till exempel namnbyte", "Skadat eller ur funktion", "Ersatt av nytt kort", "Felaktigt utfärdat",
        "Avliden", "Annan orsak",
    ):  # fmt: skip
        assert expected in text, expected
    assert "Ej aktiverat i tid" not in text
    assert state_of(card) == "active"


def test_the_person_is_shown_by_the_photo_to_those_who_may_see_it(world: Any, card: Carrier) -> None:
    Photo.objects.create(
        person=card.person, document=Document.store(b"\xff\xd8photo", "image/jpeg"), width=300, height=400,
        uploaded_at=clock.now(), uploaded_by_ref="user:x", approved_at=clock.now(),
    )  # fmt: skip
    photo = f'src="{reverse("person_photo", args=[card.person_id])}"'
    for role, seen in ((Role.ID_ADMINISTRATOR, True), (Role.REVOKER, False)):
        client, address = client_of(world.officer(role=role)), reverse("carrier_revoke", args=[card.id])
        page = client.get(address)
        assert (photo in page.content.decode()) is (seen and card.article.photo)
        assert "Person-id" in text_of(page)


def test_a_request_is_carried_out_at_once(world: Any, card: Carrier) -> None:
    actor = world.officer()
    client, address = client_of(actor), reverse("carrier_revoke", args=[card.id])
    noon = clock.start_of_day(clock.today() - dt.timedelta(days=1)) + dt.timedelta(hours=12)  # which no day has twice
    received = noon.astimezone(clock.STOCKHOLM)
    request = fields(
        reason="other", justification="Tappat i sjön", requester="organisation", requester_name="Chef Chefsson",
        received_at=f"{received:%Y-%m-%dT%H:%M}", confirm=proof(card),
    )  # fmt: skip
    again = client.post(address, request | ENTER)
    assert (again.status_code, state_of(card)) == (200, "active")
    assert "Tappat i sjön" in again.content.decode()
    assert 'value="other" checked' in again.content.decode()
    assert "Tappat i sjön" not in client.get(address).content.decode()
    done = client.post(address, request)
    assert (done.status_code, done["Location"]) == (302, reverse("carrier_revoked", args=[card.id]))
    assert state_of(card) == "revoked"
    facts = Event.objects.get(action="carrier.revoked").facts
    assert dt.datetime.fromisoformat(facts["received_at"]) == received
    assert (facts["reason"], facts["justification"], facts["requester"], facts["requester_name"], facts["request_channel"]) == (
        "other", "Tappat i sjön", "organisation", "Chef Chefsson", "phone",
    )  # fmt: skip
    assert set(Revocation.objects.values_list("received_at", "justification")) == {(received, "Tappat i sjön")}
    result = text_of(client.get(done["Location"]))
    for expected in ("Kortet är spärrat", f"Kortet som slutar på {card.card_serial[-4:]}", card.holder.surname, "Annan orsak"):
        assert expected in result
    assert client.get(address)["Location"] == done["Location"]  # back from the result


def test_a_name_counts_only_for_those_who_need_one(world: Any, card: Carrier) -> None:
    revoke(client_of(world.officer()), card, requester_name="Chef Chefsson")
    assert "requester_name" not in Event.objects.get(action="carrier.revoked").facts


@pytest.mark.parametrize("typed", ["", "0000", "serial", "97"])
def test_nothing_is_revoked_without_the_cards_last_digits(world: Any, card: Carrier, typed: str) -> None:
    given = card.card_serial if typed == "serial" else typed
    answer = revoke(client_of(world.officer()), card, confirm=given)
    assert (answer.status_code, state_of(card)) == (422, "active")
    message = f"kortet som slutar på {card.card_serial[-4:]}" if typed else "Skriv kortets 4 sista siffror."
    assert message in text_of(answer)
    spaced = " ".join(proof(card))
    assert revoke(client_of(world.officer()), card, confirm=spaced).status_code == 302


def test_each_page_that_names_the_holder_is_recorded_first(world: Any, card: Carrier) -> None:
    client = client_of(world.officer())
    recorded = Event.objects.filter(action="person.shown", subject_ref=str(card.person_id), facts__shown="revocation")
    assert revoke(client, card, confirm="0000").status_code == 422  # also without the form before it
    assert recorded.count() == 1
    done = revoke(client, card)["Location"]
    assert recorded.count() == 1
    assert card.holder.surname in text_of(client.get(done))
    assert recorded.count() == 2
    client.get(done, headers={"HX-Request": "true"})  # the part that the page fetches again
    assert recorded.count() == 2


def test_another_card_of_the_person_is_one_link_away(world: Any, card: Carrier) -> None:
    post = card.holder.posts.get()
    other = migration.register_migrated_card(actor=system("migration"), card=migrated_card(post), ca=CA)
    client = client_of(world.officer())
    page = client.get(reverse("carrier_revoke", args=[card.id]))
    assert reverse("carrier_revoke", args=[other.id]) in page.content.decode()
    assert f"Spärra kortet som slutar på {other.card_serial[-4:]} i stället" in text_of(page)
    assert revoke(client, card, confirm=proof(other)).status_code == 422
    assert f"Kortet som slutar på {other.card_serial[-4:]} påverkas inte." in text_of(page)
    revoke(client, other)
    assert "i stället" not in text_of(client.get(reverse("carrier_revoke", args=[card.id])))


def test_a_reason_that_is_known_is_proposed_with_its_cause(world: Any, card: Carrier) -> None:
    """A newer card, then what Registervård found, then that the person is deceased."""
    newer = migration.register_migrated_card(actor=system("migration"), card=migrated_card(card.holder.posts.get()), ca=CA)
    Carrier.objects.filter(pk=newer.pk).update(valid_from=card.valid_from + dt.timedelta(days=1))
    client = client_of(world.officer())

    def proposed(carrier: Carrier) -> tuple[list[str], str]:
        page = client.get(reverse("carrier_revoke", args=[carrier.id])).content.decode()
        reasons = page.split("Spärrorsak")[1].split("</fieldset>")[0]
        return re.findall(r'value="(\w+)" checked', reasons), "".join(re.findall("<small>([^<]+)</small>", reasons))

    assert proposed(card) == (["replaced"], f"Kortet som slutar på {newer.card_serial[-4:]} är nyare")
    assert proposed(newer) == ([], "")
    row = {"subject_id": newer.pk, "organisation": newer.organisation, "due": clock.today(), "found_at": clock.now()}
    WorkItem.objects.create(kind="ended", state="open", person=card.holder, carrier=newer, **row)
    assert proposed(newer) == (["assignment_ended"], "Personen har inget uppdrag i organisationen enligt HSA-katalogen")
    Person.objects.filter(pk=card.person_id).update(deceased=True)
    assert proposed(card)[0] == proposed(newer)[0] == ["deceased"]


def test_the_next_step_is_a_new_card_where_one_is_needed_and_may_be_ordered(world: Any, card: Carrier) -> None:
    order = f'action="{reverse("order_start", args=[card.person_id])}"'
    done = revoke(client_of(world.officer()), card)["Location"]
    assert order in client_of(world.officer()).get(done).content.decode()
    assert order not in client_of(world.officer(role=Role.REVOKER)).get(done).content.decode()
    Carrier.objects.update(revocation_reason="deceased")
    assert order not in client_of(world.officer()).get(done).content.decode()


def test_one_eid_leaves_the_card(world: Any, card: Carrier) -> None:
    client, eid = client_of(world.officer()), card.eids.get()
    page = text_of(client.get(reverse("eid_revoke", args=[eid.id])))
    assert f"tjänste-id {eid.hsa_id}" in page
    assert "Kortet och certifikaten med person-id fungerar som förut." in page
    assert client.post(reverse("eid_revoke", args=[eid.id]), fields(confirm="0000")).status_code == 422
    done = client.post(reverse("eid_revoke", args=[eid.id]), fields(reason="assignment_ended", confirm=proof(card)))
    assert done["Location"] == reverse("eid_revoked", args=[eid.id])
    assert (Eid.objects.get().state, state_of(card)) == ("revoked", "active")
    assert "SITHS eID är spärrat" in text_of(client.get(done["Location"]))
    assert Revocation.objects.count() == 2


MISSING: list[tuple[dict[str, str], str]] = [
    ({"reason": ""}, "Välj en spärrorsak."),
    ({"reason": "not_activated"}, "Välj en spärrorsak."),
    ({"reason": "other"}, "Beskriv orsaken när du väljer Annan orsak."),
    ({"justification": "x" * 1001}, "Beskrivningen får vara högst 1 000 tecken."),
    ({"requester": ""}, "Välj vem som begärde spärren."),
    ({"requester": "other"}, "Ange namnet på den som begärde spärren."),
    ({"channel": ""}, "Välj hur begäran kom in."),
    ({"received_at": ""}, "Ange datum och klockslag då begäran kom in."),
    ({"received_at": "i går"}, "Ange datum och klockslag, till exempel"),
    ({"received_at": "2999-01-01T10:00"}, "Tiden när begäran kom in kan inte ligga i framtiden."),
    ({"received_at": "9999-12-31T23:59"}, "Tiden när begäran kom in kan inte ligga i framtiden."),
    ({"received_at": "0001-01-01T00:00"}, "Tiden när begäran kom in får vara högst ett år tillbaka."),
    ({"received_at": "0001-01-01T00:00+05:00"}, "Tiden när begäran kom in får vara högst ett år tillbaka."),
    ({"received_at": "2026-03-29T02:30"}, "Ange datum och klockslag, till exempel"),  # when there was no such hour
]


def test_what_is_missing_is_said_and_nothing_is_lost(world: Any, card: Carrier, subtests: pytest.Subtests) -> None:
    """One card for all, since none of the requests may touch it."""
    client = client_of(world.officer())
    for changes, message in MISSING:
        with subtests.test(**changes):
            given = {"justification": "Det jag skrev"} | changes
            if changes == {"reason": "other"}:
                given["justification"] = ""
            answer = revoke(client, card, **given)
            assert answer.status_code == 422
            text = text_of(answer)
            assert "svar behöver rättas" in text
            assert text.count(message) >= 2  # in the summary and at the field
            assert 'value="phone" checked' in answer.content.decode() or "channel" in changes
            assert state_of(card) == "active"


def test_no_request_is_older_than_the_card(world: Any, card: Carrier) -> None:
    before = (card.valid_from - dt.timedelta(minutes=1)).astimezone(clock.STOCKHOLM)
    answer = revoke(client_of(world.officer()), card, received_at=f"{before:%Y-%m-%dT%H:%M}")
    assert answer.status_code == 422
    assert text_of(answer).count(f"Ange en tid efter att kortet beställdes {in_words(known_since(card))}.") >= 2
    assert state_of(card) == "active"


@pytest.mark.parametrize(
    ("now", "shown", "received"),
    [
        ("2026-10-25T00:10Z", "2026-10-25T02:10", "2026-10-25T00:10Z"),  # the first time that the clock shows it
        ("2026-10-25T01:10Z", "2026-10-25T02:10", "2026-10-25T01:10Z"),  # and the second
        ("2026-10-25T01:10Z", "2026-10-25T02:40", "2026-10-25T00:40Z"),
        ("2026-10-25T02:10Z", "2026-10-25T03:10", "2026-10-25T02:10Z"),
        ("2026-03-29T01:10Z", "2026-03-29T03:10", "2026-03-29T01:10Z"),
    ],
)
def test_the_form_takes_its_own_time_when_summer_time_begins_and_ends(now: str, shown: str, received: str) -> None:
    with clock.moved_to(dt.datetime.fromisoformat(now)):
        if now == received:
            assert f'value="{shown}"' in str(empty_form()["received_at"])
        form = RevocationForm(fields(received_at=shown))
        assert form.is_valid(), form.errors
        assert form.cleaned_data["received_at"].astimezone(dt.UTC) == dt.datetime.fromisoformat(received)


class TestRepetition:
    """S33: one effect, and the second click gets the first's result."""

    def test_twice_one_after_the_other(self, world: Any, card: Carrier) -> None:
        client = client_of(world.officer())
        answers = [revoke(client, card), revoke(client, card, reason="replaced")]
        assert [answer["Location"] for answer in answers] == [reverse("carrier_revoked", args=[card.id])] * 2
        assert client.get(reverse("carrier_revoke", args=[card.id]))["Location"] == answers[0]["Location"]
        assert Event.objects.filter(action="carrier.revoked").count() == 1
        assert "Förlorat eller stulet" in text_of(client.get(answers[0]["Location"]))

    def test_six_at_once(self, world: Any, card: Carrier) -> None:
        clients = [client_of(world.officer())]
        clients += [Client() for _ in range(5)]
        for client in clients[1:]:
            client.cookies = clients[0].cookies
        start, answers = threading.Barrier(6), []

        def click(client: Client) -> None:
            start.wait()
            try:
                answers.append(revoke(client, card)["Location"])
            finally:
                connection.close()

        threads = [threading.Thread(target=click, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [reverse("carrier_revoked", args=[card.id])] * 6
        assert Event.objects.filter(action="carrier.revoked").count() == 1
        assert Revocation.objects.count() == 4


@pytest.mark.parametrize("state", ["expired", "cancelled"])
def test_what_is_over_cannot_be_revoked(world: Any, card: Carrier, state: str) -> None:
    Carrier.objects.update(state=state)
    client = client_of(world.officer())
    for answer in (client.get(reverse("carrier_revoke", args=[card.id])), revoke(client, card)):
        assert answer.status_code == 409
        assert "Kortet kan inte spärras" in text_of(answer)
        assert reverse("person", args=[card.person_id]) in answer.content.decode()
    assert state_of(card) == state


def test_the_result_of_what_is_not_revoked_is_the_form(world: Any, card: Carrier) -> None:
    answer = client_of(world.officer()).get(reverse("carrier_revoked", args=[card.id]))
    assert answer["Location"] == reverse("carrier_revoke", args=[card.id])


class TestAccess:
    """Not visible: 404. Visible but not allowed: 403. Nothing without the form's token."""

    @pytest.mark.parametrize("name", ["carrier_revoke", "carrier_revoked"])
    def test_cards(self, world: Any, card: Carrier, name: str) -> None:
        address = reverse(name, args=[card.id])
        for actor, status in (
            (world.officer(world.city), 404), (world.officer(world.stranger), 404), (world.officer(role=Role.READER), 403),
            (world.officer(role=Role.GLOBAL_READER), 403),
        ):  # fmt: skip
            assert client_of(actor).get(address).status_code == status
            if name == "carrier_revoke":
                assert client_of(actor).post(address, fields()).status_code == status
        assert state_of(card) == "active"
        assert client_of(world.officer(role=Role.REVOKER)).get(reverse("carrier_revoke", args=[card.id])).status_code == 200

    @pytest.mark.parametrize("name", ["eid_revoke", "eid_revoked"])
    def test_eids(self, world: Any, card: Carrier, name: str) -> None:
        address = reverse(name, args=[card.eids.get().id])
        assert client_of(world.officer(world.city)).get(address).status_code == 404
        assert client_of(world.officer(role=Role.READER)).get(address).status_code == 403

    def test_a_protected_persons_card(self, world: Any) -> None:
        carrier = migration.register_migrated_card(
            actor=system("migration"), card=migrated_card(world.post(protected=True)), ca=CA
        )
        assert revoke(client_of(world.officer()), carrier).status_code == 404
        assert revoke(client_of(world.officer(protected=True)), carrier).status_code == 302

    def test_without_the_forms_token(self, world: Any, card: Carrier) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = client_of(world.officer()).cookies
        assert revoke(strict, card).status_code == 403
        assert state_of(card) == "active"


def test_an_ordered_card_has_no_certificates_to_publish(world: Any) -> None:
    order = world.order()
    client = client_of(world.officer())
    assert "Kortet kan aldrig aktiveras." in text_of(client.get(reverse("carrier_revoke", args=[order.carrier_id])))
    done = revoke(client, order.carrier)
    assert "Inga certifikat hade utfärdats" in text_of(client.get(done["Location"]))


def test_the_result_page_costs_few_queries_and_a_poll_fewer(world: Any, card: Carrier) -> None:
    client = client_of(world.officer())
    address = revoke(client, card)["Location"]
    for headers in ({}, {"HX-Request": "true"}):
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address, headers=headers)
        assert len(queries) <= 11
        assert ("<html" in answer.content.decode()) == (not headers)


def test_a_page_that_asks_for_its_answers_keeps_no_idle_session_alive(world: Any, card: Carrier) -> None:
    client = client_of(world.officer())
    address = revoke(client, card)["Location"]
    before = clock.now() - dt.timedelta(minutes=10)
    Session.objects.update(last_seen_at=before)
    for headers, is_same in (({"HX-Request": "true"}, True), ({}, False)):
        assert client.get(address, headers=headers).status_code == 200
        assert (Session.objects.get(end_reason="").last_seen_at == before) is is_same


def test_no_name_or_number_stands_in_a_title_or_an_address(world: Any, card: Carrier) -> None:
    client, person = client_of(world.officer()), Person.objects.get(pk=card.person_id)
    pages = [client.get(reverse("carrier_revoke", args=[card.id]))]
    pages.append(client.get(revoke(client, card)["Location"]))
    number = person.identifiers.get().value
    for page in pages:
        body = page.content.decode()
        title = re.search(r"<title>(.*?)</title>", body)
        assert title
        links = " ".join(re.findall(r'(?:href|action|hx-get)="([^"]*)"', body))
        for secret in (person.surname, card.card_serial, number, number[2:], card.eids.get().hsa_id):
            assert secret not in title[1]
            assert secret not in links


@pytest.mark.parametrize(("query", "chosen"), [("", None), ("?orsak=forlorat", "lost_or_stolen"), ("?orsak=annat", None)])
def test_a_lost_card_is_proposed_as_the_reason(world: Any, card: Carrier, query: str, chosen: str | None) -> None:
    page = client_of(world.officer()).get(reverse("carrier_revoke", args=[card.id]) + query)
    assert page.context["form"]["reason"].value() == chosen
