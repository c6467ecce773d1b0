"""What the clerk sees of the card in the app, on the live page and the person page, and the two ways on from a blocked code."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from issuance.authz import Role
from issuance.domain.card_reports import CardReport
from issuance.models import Carrier, EidAppTransaction, OrderDraft, Person
from issuance.services import activation, card_reports
from tests.issuance.activated import App, Made, reopened, unsigned_card
from tests.portal import portal_client

pytestmark = pytest.mark.usefixtures("demo_pki")


@pytest.fixture(autouse=True)
def _no_waiting(settings: Any) -> None:
    settings.EID_APP_WAIT_SECONDS = 0


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
    assert "Koden är spärrad efter tre felaktiga försök" in said
    assert "läser villkoren och skriver under" not in said
    assert "Låt innehavaren välja en ny kod" in said
    assert "Spärra kortet och beställ ett nytt" in said
    assert "välj Öppna på nytt" not in said  # the page has no such button now
    assert "Koden är spärrad" in person_page(clerk, made)
    assert "Koden är spärrad" in text_of(clerk.get(reverse("activate", args=[made.carrier.pk])))
    second = clerk.post(page, follow=True)
    assert "Innehavaren väljer en legitimeringskod" in text_of(second)
    assert second.context["transaction"].kind == "activate"


def test_a_blocked_card_is_revoked_and_ordered_again_in_one_step(world: Any, clerk: Client, signing: Any) -> None:
    made, _opened, app = signing
    card_reports.record(step_token=app.token, report=CardReport.CODE_BLOCKED)
    address = reverse("carrier_replace", args=[made.carrier.pk])
    form = clerk.get(address).context["form"]
    given = {name: form.initial.get(name, "") for name in form.fields}
    given["received_at"] = given["received_at"].strftime("%Y-%m-%d %H:%M")
    question = clerk.post(address, given | {"step": "check"}, follow=True)
    assert "Vill du spärra kortet och beställa ett nytt?" in text_of(question)
    assert made.fresh().state == "activated_unsigned"
    answer = clerk.post(address, given | {"step": "confirm"})
    draft = OrderDraft.objects.get()
    assert answer["Location"] == reverse("order_review", args=[draft.pk])
    order = made.order
    assert made.fresh().state == "revoked"
    assert (draft.post_id, draft.article_id, draft.office_id) == (order.eid.post_id, order.article_id, order.office_id)
    assert clerk.post(address, given | {"step": "confirm"})["Location"] == answer["Location"]
    review = clerk.get(answer["Location"])
    assert review.status_code == 200, review["Location"]
    clerk.post(answer["Location"], {"version": draft.version})
    assert Carrier.objects.filter(person=made.carrier.person_id, state="ordered").count() == 1


def test_who_may_not_order_may_not_replace(world: Any, signing: Any) -> None:
    made, _opened, _app = signing
    revoker = world.officer(world.region, Role.REVOKER)
    client = portal_client(Person.objects.get(pk=revoker.person_id))
    assert client.get(reverse("carrier_replace", args=[made.carrier.pk])).status_code == 403
    assert "Din behörighetsroll tillåter inte åtgärden här" in person_page(client, made)
    assert made.fresh().state == "activated_unsigned"
