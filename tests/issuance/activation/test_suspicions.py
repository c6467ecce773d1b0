"""A suspected false document stops the visit until a responsible issuer has judged it (rules/issuance 5.9)."""

import datetime as dt
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from issuance.activation.models import DocumentJudgement, DocumentSuspicion, EidAppTransaction, Identification
from issuance.activation.services import activation, suspicions, visits
from issuance.authz import Role
from issuance.carriers.models import Carrier
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.roles.test_pages import client_of

SEEN = "Lösa skikt vid fotot, och tryck som saknas."
REPORT = {"identity_document": "passport", "observed": SEEN}
JUDGED = "Polisen har granskat handlingen."


def sent_to(world: Any, post: Any, serial: str) -> Carrier:
    card: Carrier = world.order(post).carrier
    Carrier.objects.filter(pk=card.pk).update(state="sent", sent_at=clock.now(), card_serial=serial)
    card.refresh_from_db()
    return card


@pytest.fixture
def card(world: Any) -> Carrier:
    return sent_to(world, world.post(), "9752100000000001123")


def suspect(world: Any, card: Carrier) -> DocumentSuspicion:
    return suspicions.report(actor=world.officer(), carrier_id=card.pk, **REPORT)


def stopped(card: Carrier) -> str:
    found = visits.obstacle(card.pk)
    return found.code if found else ""


def test_the_visit_is_stopped_and_the_issuer_is_told(world: Any, card: Carrier) -> None:
    officer, now = world.officer(), clock.now()
    visit = Identification.objects.create(carrier=card, officer_ref=officer.ref, identity_document="passport", at=now)
    begun = EidAppTransaction.objects.create(
        carrier=card, kind="activate", state="created", seq=1, officer_ref=officer.ref, created_at=now,
        expires_at=now + dt.timedelta(minutes=5), identification=visit,
    )  # fmt: skip
    other = sent_to(world, card.eids.get().post, "9752100000000001124")
    stranger = sent_to(world, world.post(), "9752100000000001125")
    client, issuer = client_of(officer), client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
    address = reverse("suspicion_report", args=[card.pk])
    assert address in client.get(reverse("activate", args=[card.pk])).content.decode()
    for wrong in ({}, {**REPORT, "observed": "falskt"}, {**REPORT, "identity_document": "attestation"}):
        assert client.post(address, wrong).status_code == 422, wrong
    assert client.post(address, REPORT)["Location"] == reverse("activate", args=[card.pk])
    client.post(address, REPORT)
    assert DocumentSuspicion.objects.count() == 1, "a repetition is no second suspicion"
    begun.refresh_from_db()
    assert begun.state == "failed"
    assert [stopped(each) for each in (card, other, stranger)] == ["document-suspected", "document-suspected", ""]
    with pytest.raises(Conflict, match="document-suspected"):
        activation.identify(actor=officer, carrier_id=card.pk, identity_document="passport")
    person = client.get(reverse("person", args=[card.person_id]))
    step = person.context["step"]
    assert (step.heading, step.url) == ("Vänta med att aktivera kortet som slutar på 1124", reverse("activate", args=[other.pk]))
    assert [each.state for each in step.stages] == ["done", "done", "stop", "later"]
    assert text_of(person).count("En misstanke om falsk id-handling utreds. Vänta tills") == 2, "at each card"
    page = text_of(client.get(reverse("activate", args=[card.pk])))
    assert "Ansvarig utgivare bedömer den" in page
    assert "Ring din ansvariga utgivare" in page
    assert SEEN in text_of(client.get(reverse("person_history", args=[card.person_id])))

    Carrier.objects.filter(pk=other.pk).update(state="expired", ended_at=now)
    Carrier.objects.filter(pk=card.pk).update(state="active", origin="migrated", activated_at=now, puk_secret_id=uuid4())
    step = client.get(reverse("person", args=[card.person_id])).context["step"]
    in_use = ("Vänta med att låsa upp kortet som slutar på 1123", reverse("unlock", args=[card.pk]), ())
    assert (step.heading, step.url, step.stages) == in_use

    assert "1 misstänkt falsk id-handling att bedöma" in text_of(issuer.get(reverse("day")))
    assert "id-handling att bedöma" not in text_of(client.get(reverse("day")))
    listing = issuer.get(reverse("suspicions") + "?status=open")
    (line,) = listing.context["list"].lines
    assert (line.last, line.document, line.state) == ("1123", "Pass (vinröd bok)", "open")
    assert SEEN in text_of(issuer.get(reverse("suspicion", args=[line.id])))


def test_a_document_that_was_not_false_opens_the_cards_again(world: Any, card: Carrier) -> None:
    issuer = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
    address = reverse("suspicion", args=[suspect(world, card).pk])
    for wrong in ({}, {"judgement": "genuine", "reason": "nej"}, {"judgement": "x", "reason": JUDGED}):
        assert issuer.post(address, wrong).status_code == 422, wrong
    issuer.post(address, {"judgement": "genuine", "reason": JUDGED})
    assert stopped(card) == ""
    assert issuer.post(address, {"judgement": "false", "reason": JUDGED}).status_code == 409
    event = Event.objects.get(action="holder.document_judged")
    assert (event.facts["document_judgement"], event.facts["justification"]) == ("genuine", JUDGED)
    assert "Inte falsk" in text_of(issuer.get(address))


def test_a_false_document_ends_the_use_of_this_card(world: Any, card: Carrier) -> None:
    issuer = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
    other = sent_to(world, card.eids.get().post, "9752100000000001124")
    address = reverse("suspicion", args=[suspect(world, card).pk])
    done = issuer.post(address, {"judgement": "false", "reason": JUDGED}, follow=True)
    assert reverse("carrier_revoke", args=[card.pk]) in done.content.decode()
    assert (stopped(card), stopped(other)) == ("document-false", "")
    client = client_of(world.officer())
    assert "var falsk" in text_of(client.get(reverse("activate", args=[card.pk])))
    step = client.get(reverse("person", args=[card.person_id])).context["step"]
    assert (step.heading, step.url) == ("Spärra kortet som slutar på 1123", reverse("carrier_revoke", args=[card.pk]))


def test_what_was_reported_and_judged_is_never_changed(world: Any, card: Carrier) -> None:
    issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
    suspicions.judge(actor=issuer, suspicion_id=suspect(world, card).pk, judgement="false", reason=JUDGED)
    for rows in (DocumentSuspicion.objects.all(), DocumentJudgement.objects.all()):
        for change in (lambda rows: rows.update(officer_ref="user:x"), lambda rows: rows.delete()):
            with pytest.raises(DatabaseError), transaction.atomic():
                change(rows)
