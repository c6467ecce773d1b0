"""What the clerk sees of the card in the app, on the live page and the person page, and the two ways on from a blocked code."""

import datetime as dt
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from issuance.activation.domain.card_reports import CardReport
from issuance.activation.models import EidAppTransaction
from issuance.activation.queries.card_help import card_help
from issuance.activation.services import activation, activation_app, card_reports, identifications
from issuance.authz import Role
from issuance.orders.models.drafts import OrderDraft
from issuance.people.models.persons import Person
from issuance.revocation.services import revocation
from siths_portal.lib import clock
from tests.issuance.activated import App, Made, identify, reopened, sent_card, unsigned_card
from tests.portal import portal_client

pytestmark = pytest.mark.usefixtures("demo_pki")


@pytest.fixture
def clerk(world: Any) -> Client:
    return portal_client(Person.objects.get(pk=world.officer().person_id))


@pytest.fixture
def signing(world: Any) -> tuple[Made, activation.Opened, App]:
    """A card whose code is set, before a holder who is about to sign."""
    made = unsigned_card(world)
    opened = reopened(world, activation.Opened(EidAppTransaction.objects.get(), ""))
    app = App(made)
    app.start(opened)
    return made, opened, app


def text_of(response: Any) -> str:
    body = re.sub(r"<(script|style|svg).*?</\1>", " ", response.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def person_page(client: Client, made: Made) -> str:
    return text_of(client.get(reverse("person", args=[made.carrier.person_id])))


def test_each_report_is_a_sentence_on_both_pages(clerk: Client, signing: Any) -> None:
    made, opened, app = signing
    live = reverse("activation_state", args=[opened.transaction.pk])
    for report, tries, said in (
        (CardReport.WRONG_CARD, None, "Fel kort sitter i läsaren"),
        (CardReport.WRONG_CODE, 2, "fel kod. 2 försök kvar"),
        (CardReport.WRONG_PUK, None, "tog inte emot upplåsningskoden"),
        (CardReport.PUK_BLOCKED, None, "kan inte låsas upp mer"),
    ):
        version = re.search(r'name="sedan" value="([^"]*)"', clerk.get(live).content.decode())
        card_reports.record(step_token=app.token, report=report, tries_left=tries)
        assert version is not None
        assert said in text_of(clerk.get(live, {"sedan": version[1]}))  # the poll sees that something is new
        assert said in person_page(clerk, made)


def test_a_blocked_code_leads_on_to_a_new_code(clerk: Client, signing: Any) -> None:
    made, opened, app = signing
    page = reverse("activation_sign", args=[opened.transaction.pk])
    card_reports.record(step_token=app.token, report=CardReport.CODE_BLOCKED)
    said = text_of(clerk.get(page))
    assert "Koden är spärrad efter 3 felaktiga försök" in said
    assert "läser villkoren och skriver under" not in said
    assert "Låt innehavaren välja en ny kod" in said
    assert "Ersätt kortet" in said
    assert "välj Öppna appen igen" not in said  # the page has no such button now
    assert "Koden är spärrad" in person_page(clerk, made)
    assert "Koden är spärrad" in text_of(clerk.get(reverse("activate", args=[made.carrier.pk])))
    second = clerk.post(page, follow=True)
    assert "Välj legitimeringskod" in text_of(second)
    again = second.context["transaction"]
    assert again.kind == "activate"
    handle = re.search(r"#(act\.[\w-]{22})\"", second.content.decode())
    assert handle is not None
    app = App(made)
    app.start(activation.Opened(again, handle[1]))
    app.set_code()
    for said in (text_of(clerk.get(reverse("activation_sign", args=[again.pk]))), person_page(clerk, made)):
        assert "Innehavaren har valt en ny kod." in said


def test_a_blocked_card_leads_to_its_replacement(clerk: Client, signing: Any) -> None:
    """With the reason proposed, which it is for no other card."""
    made, _opened, app = signing
    address = reverse("carrier_replace", args=[made.carrier.pk])
    clerk.post(address)
    assert OrderDraft.objects.get().replacement_reason == ""
    clerk.post(reverse("order_restart", args=[OrderDraft.objects.get().pk]))
    card_reports.record(step_token=app.token, report=CardReport.CODE_BLOCKED)
    page = clerk.get(reverse("activate", args=[made.carrier.pk]))
    assert f'action="{address}"' in page.content.decode()
    answer = clerk.post(address, follow=True)
    draft = OrderDraft.objects.get()
    assert (draft.replaced_carrier, draft.replacement_reason) == (made.carrier, "damaged")
    assert f"Kortet som slutar på {made.carrier.card_serial[-4:]} spärras när du beställer" in text_of(answer)
    assert made.fresh().state == "activated_unsigned", "until the clerk orders"


def test_who_may_not_order_may_not_replace(world: Any, signing: Any) -> None:
    made, _opened, _app = signing
    revoker = world.officer(world.region, Role.REVOKER)
    client = portal_client(Person.objects.get(pk=revoker.person_id))
    assert client.post(reverse("carrier_replace", args=[made.carrier.pk])).status_code == 403
    assert "Din behörighetsroll tillåter inte åtgärden här" in person_page(client, made)
    assert not OrderDraft.objects.exists()


def opened_card(client: Client, made: Made) -> str:
    return text_of(client.get(reverse("person", args=[made.carrier.person_id]), {"barare": str(made.carrier.pk)}))


def revoke(world: Any, made: Made) -> None:
    revocation.revoke_carrier(actor=world.officer(), carrier_id=made.carrier.pk, reason="lost_or_stolen")


def test_a_revoked_card_promises_no_new_code(world: Any, clerk: Client, signing: Any) -> None:
    made, opened, app = signing
    card_reports.record(step_token=app.token, report=CardReport.CODE_BLOCKED)
    assert "kan välja en ny kod vid aktiveringen" in opened_card(clerk, made)
    revoke(world, made)
    for said in (opened_card(clerk, made), text_of(clerk.get(reverse("activation_sign", args=[opened.transaction.pk])))):
        assert "ny kod" not in said
        assert "Koden är spärrad" not in said
    answer = clerk.post(reverse("activation_cancel", args=[opened.transaction.pk]), follow=True)
    assert "Aktiveringen är avbruten. Kortet är spärrat." in text_of(answer)


def test_at_the_limit_of_the_puk_the_pages_lead_to_a_new_card(clerk: Client, signing: Any) -> None:
    made, opened, app = signing
    card_reports.record(step_token=app.token, report=CardReport.CODE_BLOCKED)
    clerk.post(reverse("activation_sign", args=[opened.transaction.pk]))
    again = EidAppTransaction.objects.latest("created_at")
    page = reverse("activation_sign", args=[again.pk])
    assert 'id="lage-app"' in clerk.get(page).content.decode()
    card_reports.record_limit(again)
    answer = clerk.get(page)
    assert "har lämnats ut för många gånger" in text_of(answer)
    assert 'id="lage-app"' not in answer.content.decode()
    assert 'id="lage-ersatt-knapp" type' in answer.content.decode(), "the filled button"
    said = opened_card(clerk, made)
    assert "kan välja en ny kod" not in said
    assert "Är kvittensen inte underskriven senast" in said
    assert "väljer innehavaren en ny kod" not in text_of(clerk.get(reverse("activate", args=[made.carrier.pk])))
    again.refresh_from_db()
    with clock.moved_to(clock.now() + dt.timedelta(days=1, minutes=1)):
        told = card_help(again, made.fresh())
        assert told is not None
        assert (told.is_blocked, told.is_beyond_help) == (True, False), "the limit is of a day"


def test_the_way_to_withdraw_goes_when_a_code_is_chosen(world: Any, clerk: Client) -> None:
    made = sent_card(world)
    opened = identify(world, made)
    row, link = opened.transaction, "Ta tillbaka identifieringen"
    live = reverse("activation_state", args=[row.pk])
    assert link in text_of(clerk.get(live))
    app = App(made)
    app.start(opened)
    app.set_code()
    assert link not in text_of(clerk.get(live)), "the poll"
    refused = clerk.get(reverse("identification_withdraw", args=[row.identification_id]))
    assert refused.status_code == 409
    card_page = f"{reverse('person', args=[made.carrier.person_id])}?barare={made.carrier.pk}"
    assert f'href="{card_page}">Till kortet' in refused.content.decode()


def test_a_card_that_is_revoked_during_its_activation_says_so(world: Any, clerk: Client) -> None:
    made = sent_card(world)
    row = identify(world, made).transaction
    revoke(world, made)
    said = text_of(clerk.get(reverse("activation_sign", args=[row.pk])))
    assert "Kortet spärrades under aktiveringen." in said
    assert "för många gånger" not in said
    assert "Ta tillbaka identifieringen" not in said
    history = text_of(clerk.get(reverse("carrier_history", args=[made.carrier.pk])))
    assert "carrier-revoked" not in history


def test_a_withdrawn_identification_is_no_step_that_is_done(world: Any, clerk: Client) -> None:
    made = sent_card(world)
    row = identify(world, made).transaction
    identifications.withdraw(actor=world.officer(), identification_id=row.identification_id, reason="Fel kort skannades.")
    said = text_of(clerk.get(reverse("activation_sign", args=[row.pk])))
    assert "Steg 1 av 3" in said
    assert "Klart:" not in said
    page = clerk.get(reverse("carrier_history", args=[made.carrier.pk]))
    assert "<s>Innehavaren identifierades vid besök</s>" in page.content.decode()
    history = text_of(page)
    assert re.search("Innehavaren identifierades vid besök Återtagen", history)
    assert re.search(r"Skäl:? ?Fel kort skannades", history)
    assert "Beskrivning" not in history


def test_a_report_is_told_while_the_activation_is_open(clerk: Client, signing: Any) -> None:
    made, _opened, app = signing
    card_reports.record(step_token=app.token, report=CardReport.WRONG_CODE, tries_left=2)
    assert "Innehavaren skrev fel kod" in opened_card(clerk, made)
    activation_app.cancel(step_token=app.token)
    said = opened_card(clerk, made)
    assert "Innehavaren skrev fel kod" not in said
    assert "har valt legitimeringskod men inte skrivit under" in said


def test_the_page_does_not_tell_to_sign_with_a_blocked_code(clerk: Client, signing: Any) -> None:
    _made, opened, app = signing
    page, live = (reverse(name, args=[opened.transaction.pk]) for name in ("activation_sign", "activation_state"))
    told = "Skriv under med koden du redan har valt"
    assert told in text_of(clerk.get(page))
    card_reports.record(step_token=app.token, report=CardReport.CODE_BLOCKED)
    for address in (page, live):
        said = text_of(clerk.get(address))
        assert told not in said
        assert "Innehavaren kan skriva under först när en ny kod är vald." in said
