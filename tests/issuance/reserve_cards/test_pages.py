"""The pages of reserve cards: the person's function, the hand-out, the queue, the second officer's check, and the signature."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from issuance.activation.models import Attestation, EidAppTransaction
from issuance.activation.services import activation
from issuance.activation.services.visits import Opened
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.reserve_cards.models import ReserveCardIssue
from siths_portal.lib.errors import Invalid
from tests.issuance.activated import App, Made
from tests.issuance.activation.test_pages import text_of
from tests.issuance.reserve_cards.blank import Activating, Blank, Officer, desk_of_two, hand_out, proposed
from tests.issuance.world import person_number, years_ago
from tests.portal import portal_client
from tests.pressing import ENTER, MAIN

pytestmark = pytest.mark.usefixtures("demo_pki")


@pytest.fixture
def desk(world: Any) -> tuple[Blank, Officer, Officer]:
    return desk_of_two(world)


@pytest.fixture
def blank(desk: tuple[Blank, Officer, Officer]) -> Blank:
    return desk[0]


def logged_in(actor: Any) -> Client:
    return portal_client(Person.objects.get(pk=actor.person_id))


@pytest.fixture
def clerk(world: Any, blank: Blank) -> Client:
    return logged_in(world.officer())


@pytest.fixture
def first(desk: tuple[Blank, Officer, Officer]) -> Officer:
    return desk[1]


@pytest.fixture
def second(desk: tuple[Blank, Officer, Officer]) -> Officer:
    return desk[2]


def test_a_card_on_level_two_leads_to_its_activation(world: Any, blank: Blank, clerk: Client) -> None:
    post = world.post()
    assert reverse("reserve_card", args=[post.person_id]) in clerk.get(reverse("person", args=[post.person_id])).content.decode()
    address = reverse("reserve_card", args=[post.person_id])
    page = text_of(clerk.get(address))
    assert "Tillitsnivå 2" in page
    assert "Två personer" in page
    sent = clerk.post(address, {"card_serial": blank.serial, "post": str(post.pk), "assurance_level": "2", **MAIN})
    assert sent["Location"] == reverse("activate", args=[blank.carrier.pk])
    shown = text_of(clerk.get(sent["Location"]))
    assert "Är det" in shown
    assert "Aktivera reservkort" in shown
    person = text_of(clerk.get(reverse("person", args=[post.person_id])))
    assert "Aktivera kortet som slutar på" in person
    day = text_of(clerk.get(reverse("day")))
    assert "utlämnat reservkort i dag 1" in day
    assert f"Lämnade ut reservkortet som slutar på {blank.serial[-4:]}" in day


def test_another_person_attests_who_the_holder_is(world: Any, blank: Blank, clerk: Client) -> None:
    """At the activation of a card on level 2; the receipt names that person, without the number."""
    hand_out(blank, world.post(), world.officer())
    address = reverse("activate", args=[blank.carrier.pk])
    assert "Fyll i intyget av annan person" in text_of(clerk.get(address))
    name = "Chef <i>{{ 7*7 }}</i>"  # S39: shown as it is written
    given = {
        "identity_document": "attestation",
        "attestor_name": name,
        "attestor_number": person_number().value,
        "relation": "superior",
        "attestor_document": "passport",
    }
    refused = clerk.post(address, {**given, **MAIN})
    assert refused.status_code == 422
    assert "Bekräfta att intyget är underskrivet och arkiverat." in text_of(refused)
    assert "Chef &lt;i&gt;{{ 7*7 }}&lt;/i&gt;" in refused.content.decode()
    assert clerk.post(address, {**given, "stated": "on", **MAIN}).status_code == 302
    kept = Attestation.objects.get(identification__carrier=blank.carrier)
    assert (kept.attestor_name, kept.relation) == (name, "superior")
    again = activation.reopen(actor=world.officer(), transaction_id=EidAppTransaction.objects.latest("created_at").pk)
    app = App(Made(blank, blank.carrier, None))  # type: ignore[arg-type]
    app.start(again)
    step = Activating(blank, again, app)
    step.certify()
    receipt = step.finish().receipt
    assert receipt is not None
    assert receipt.content["identification"]["attestor"] == {"name": name, "relation": "superior"}
    assert given["attestor_number"] not in str(receipt.content)
    history = clerk.get(reverse("carrier_history", args=[blank.carrier.pk])).content.decode()
    assert "Chef &lt;i&gt;{{ 7*7 }}&lt;/i&gt;" in history


def test_level_three_takes_full_documents_alone(world: Any, blank: Blank) -> None:
    for document in ("foreign_passport", "attestation"):
        with pytest.raises(Invalid, match="identity-document"):
            hand_out(blank, world.post(), world.officer(), level=3, document=document)
    assert blank.carrier.state == "in_stock"


def test_what_is_missing_is_told_at_its_field(world: Any, blank: Blank, clerk: Client) -> None:
    post = world.post()
    address = reverse("reserve_card", args=[post.person_id])
    refused = clerk.post(address, {"card_serial": "1", "post": str(post.pk), "assurance_level": "3", **MAIN})
    assert refused.status_code == 422
    assert "Välj den id-handling som personen visade." in text_of(refused)
    refused = clerk.post(address, {"card_serial": Blank().serial, "post": str(post.pk), "assurance_level": "2", **MAIN})
    assert refused.status_code == 422
    assert "ta ett annat kort." in text_of(refused)
    entered = clerk.post(address, {"card_serial": blank.serial, "post": str(post.pk), "assurance_level": "2", **ENTER})
    assert entered.status_code == 200
    assert blank.carrier.state == "in_stock"


def test_under_eighteen_level_two_is_the_only_choice(world: Any, blank: Blank, clerk: Client) -> None:
    page = clerk.get(reverse("reserve_card", args=[world.post(person_id=person_number(years_ago(16))).person_id]))
    assert [each["value"] for each in page.context["form"].level_options] == ["2"]
    assert "Tillitsnivå 3 kräver personnummer och att personen har fyllt 18 år." in text_of(page)
    assert "På tillitsnivå 3 skriver du under" not in text_of(page)
    page = clerk.get(reverse("reserve_card", args=[world.post().person_id]))
    assert [each["value"] for each in page.context["form"].level_options] == ["2", "3"]
    assert "Tillitsnivå 3 kräver" not in text_of(page)


def test_level_three_goes_through_two_pages_of_signature(world: Any, blank: Blank, first: Officer, second: Officer) -> None:
    post, clerk, colleague = world.post(), logged_in(first.actor), logged_in(second.actor)
    given = {"card_serial": blank.serial, "post": str(post.pk), "assurance_level": "3", "identity_document": "passport"}
    sent = clerk.post(reverse("reserve_card", args=[post.person_id]), {**given, **MAIN})
    shown = clerk.get(sent["Location"])
    assert "Skriv under med ditt eget kort" in text_of(shown)
    assert clerk.get(sent["Location"] + "lage/?sedan=created").status_code == 204
    first.sign(_opened(shown))
    assert clerk.get(sent["Location"] + "lage/?sedan=created")["HX-Refresh"] == "true"
    assert clerk.get(sent["Location"])["Location"] == reverse("person", args=[post.person_id])

    assert "har identifierat personen. Du kan vara andra person till kl." in text_of(colleague.get(reverse("day")))
    assert "väntar på en andra person" in text_of(colleague.get(reverse("stock")))
    queue = text_of(colleague.get(reverse("reserve_cards_waiting")))
    assert f"slutar på {blank.serial[-4:]}" in queue
    assert blank.serial not in queue
    assert Event.objects.filter(action="work.listed", subject_ref="reserve_cards").exists()
    own = text_of(clerk.get(reverse("reserve_cards_waiting") + "?visa=egna"))
    assert "En annan ska kontrollera" in own
    assert "Inget stämmer med urvalet" in text_of(clerk.get(reverse("reserve_cards_waiting") + "?visa=andras"))
    address = reverse("reserve_card_approve", args=[ReserveCardIssue.objects.get().pk])
    assert clerk.get(address).status_code == 403
    page = text_of(colleague.get(address))
    assert "Gör hela kontrollen själv" in page
    assert "Lämna åt någon annan" in page
    assert blank.serial not in page
    assert colleague.post(address, {"serial": "0000", "identity_document": "passport", **MAIN}).status_code == 422
    sent = colleague.post(address, {"serial": blank.serial[-4:], "identity_document": "passport", **MAIN})
    second.sign(_opened(colleague.get(sent["Location"])))
    assert colleague.get(sent["Location"])["Location"] == reverse("person", args=[post.person_id])
    assert blank.carrier.state == "reserved"
    stages = colleague.get(reverse("person", args=[blank.carrier.person_id])).context["step"].stages
    assert [(each.state, each.text, each.note) for each in stages] == [
        ("done", "Knutet till innehavaren", ""), ("now", "Aktivera kortet", ""), ("later", "Skriv under kvittensen", ""),
    ]  # fmt: skip


def test_the_second_officer_rejects_with_a_reason(world: Any, blank: Blank, first: Officer, second: Officer) -> None:
    issue, colleague = proposed(blank, world.post(), first), logged_in(second.actor)
    address = reverse("reserve_card_approve", args=[issue.pk])
    assert '<details class="expander">' in colleague.get(address).content.decode()
    refused = colleague.post(address, {"reason": "", "neka": "1"})
    assert (refused.status_code, '<details class="expander" open>' in refused.content.decode()) == (422, True)
    assert colleague.post(address, {"reason": "Fotot stämmer inte", "neka": "1"})["Location"] == reverse("reserve_cards_waiting")
    assert "väntar inte längre" in text_of(colleague.get(address))


def test_s39_a_rejection_is_shown_as_it_was_written(world: Any, blank: Blank, first: Officer, second: Officer) -> None:
    issue, colleague = proposed(blank, world.post(), first), logged_in(second.actor)
    address, reason = reverse("reserve_card_approve", args=[issue.pk]), "{{ 7*7 }}<script>alert(1)</script>"
    pages = [colleague.post(address, {"reason": reason * 10, "neka": "1"})]
    colleague.post(address, {"reason": reason, "neka": "1"})
    history, card = reverse("person_history", args=[issue.person_id]), reverse("stock_card", args=[blank.carrier.stock.pk])
    pages += [logged_in(first.actor).get(page) for page in (history, f"{history}?papper=1", card)]
    assert [page.status_code for page in pages] == [422, 200, 200, 200]
    shown = [page.content.decode() for page in pages]
    assert "{{ 7*7 }}&lt;script&gt;alert(1)" in shown[0]
    assert not [text for text in shown if "<script>alert" in text]


def test_a_new_link_and_the_way_out(world: Any, blank: Blank, first: Officer) -> None:
    done, clerk = hand_out(blank, world.post(), first.actor, level=3), logged_in(first.actor)
    assert done.opened is not None
    address = reverse("reserve_card_statement", args=[done.opened.transaction.pk])
    assert "Länken till appen visas bara där den skapades" in text_of(clerk.get(address))
    clerk.post(address, MAIN)
    assert clerk.get(address).context["handle"].startswith("sig.")
    clerk.post(f"{address}avbryt/", {"avbryt": "1"})
    assert "Inget är underskrivet" in text_of(clerk.get(address))
    assert ReserveCardIssue.objects.get().state == "cancelled"


def _opened(page: Any) -> Opened:
    """What the officer's page gave the app."""
    signing = page.context["signing"]
    return Opened(EidAppTransaction.objects.get(pk=signing.statement.pk), page.context["handle"])
