"""Matters under dual control on pages: what is asked for, who may decide, and what happens when two decide at once."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.operators.services import approvals
from issuance.operators.web.lists import ApprovalList
from pki.approvals import dual_control
from pki.models import Approval, ApprovalAction, ApprovalRequest, ApprovalState, Decision, Event
from pki.operators.approvals import approval
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden
from tests.issuance.operators.operators import client_of, operator
from tests.issuance.person_page.test_pages import text_of

DOCUMENT = {
    "slug": "function", "generation": 1, "common_name": "DEMO SITHS e-id Function CA v1", "from": "active", "to": "retired",
    "justification": "Ersätts av generation 2",
    "nested": {"list": ["a", "b"], "things": [{"name": "x"}, {"name": "y"}], "flag": True},
}  # fmt: skip


def asked(
    ref: str = "user:nobody", *, action: ApprovalAction = ApprovalAction.MASS_REVOCATION, **changes: Any
) -> ApprovalRequest:
    made = dual_control.request(action=action, summary="Avveckla Function CA", document=DOCUMENT, requester_ref=ref)
    ApprovalRequest.objects.filter(pk=made.pk).update(**changes)
    return ApprovalRequest.objects.get(pk=made.pk)


def decision(row: ApprovalRequest, **changes: str) -> dict[str, str]:
    return {"document_sha256": row.document_sha256, "decision": "approved", "justification": ""} | changes


def test_the_list_shows_what_waits_first_and_then_what_ended(world: Any) -> None:
    actor = operator(world)
    waiting = asked(actor.ref)
    asked(state=ApprovalState.REJECTED, closed_at=clock.now())
    late = asked(expires_at=clock.now() - dt.timedelta(seconds=1))
    text = text_of(client_of(operator(world, "Nanna")).get(reverse("pki_approvals")))
    before, after = text.split("Avslutade")
    assert "Ester Förvaltarsson" in before
    assert "0 av 2" in before
    assert "Väntar på beslut" in before
    assert "Avslaget" in after
    assert "Tiden gick ut" in after
    assert before.count("Avveckla Function CA") == 1
    assert {waiting.state, late.state} == {"open"}


def test_what_ended_goes_on_page_by_page(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ApprovalList, "page_size", 2)
    ids = {asked(state=ApprovalState.USED, closed_at=clock.now()).pk for _ in range(5)}
    client, address = client_of(operator(world)), reverse("pki_approvals")
    seen: set[uuid.UUID] = set()
    for _ in range(3):
        page = client.get(address)
        seen |= {row["request"].id for row in page.context["closed"].lines}
        address = page.context["closed"].next_url
    assert seen == ids
    assert address == ""


def test_the_matter_shows_the_whole_document_its_hash_and_who_decided(world: Any) -> None:
    row = asked()
    dual_control.decide(
        request_id=row.id, approver_ref=operator(world, "Nanna").ref, decision=Decision.APPROVED,
        document_sha256=row.document_sha256, justification="Kontrollerat mot protokollet",
    )  # fmt: skip
    text = text_of(client_of(operator(world)).get(reverse("pki_approval", args=[row.id])))
    for expected in (
        row.document_sha256, "DEMO SITHS e-id Function CA v1", "Tillstånd nu Utfärdar", "Nytt tillstånd Avvecklad",
        "Ersätts av generation 2", "nested: list a, b", "nested: things 1: Namn x", "nested: flag ja",
        "Nanna Förvaltarsson", "Kontrollerat mot protokollet",
        "1 av 2", "1 godkännande saknas.", "Besluta",
    ):  # fmt: skip
        assert expected in text, expected


def test_an_import_is_told_in_words(world: Any) -> None:
    """Everything that `pki.takeover.lifecycle.request` asks for; `revoked` are already so in a mass revocation alone."""
    document = {
        "slug": "function", "generation": 1, "certificate_sha256": "ab" * 32, "format": "ejbca", "key_id": "cd" * 20,
        "inputs_sha256": "ef" * 32, "rows": 17, "new": 13, "new_revoked": 5, "revoked": 3, "papers": 2, "findings": 4,
        "hold": "revoke",
    }  # fmt: skip
    row = dual_control.request(action=ApprovalAction.IMPORT, summary="Import", document=document, requester_ref="user:nobody")
    text = text_of(client_of(operator(world)).get(reverse("pki_approval", args=[row.id])))
    for expected in (
        "Källans format ejbca", f"Nyckel (CKA_ID) {'cd' * 20}", f"Filernas SHA-256 {'ef' * 32}", "Rader i källan 17",
        "Nya certifikat 13", "Nya som redan är spärrade 5", "Finns här och blir spärrade 3", "Spärras efter begäran på papper 2",
        "Avvikelser 4", "Tillfälligt spärrade Spärras",
    ):  # fmt: skip
        assert expected in text, expected
    assert "Redan spärrade" not in text


def test_two_others_approve_and_each_is_noted(world: Any) -> None:
    row = asked(operator(world).ref)
    for name in ("Nanna", "Sigrid"):
        actor = operator(world, name)
        answer = client_of(actor).post(reverse("pki_approval_decide", args=[row.id]), decision(row), follow=True)
        assert answer.redirect_chain[-1][0] == reverse("pki_approval", args=[row.id])
        assert "Ditt beslut är sparat." in text_of(answer)
        assert Event.objects.filter(action="approval.approved", actor_ref=actor.ref, subject_ref=str(row.id)).count() == 1
    row.refresh_from_db()
    assert row.state == ApprovalState.APPROVED
    assert "Godkänt, ej utfört" in text_of(answer)


def test_a_rejection_needs_a_reason_and_ends_the_matter(world: Any) -> None:
    row, client = asked(), client_of(operator(world))
    address = reverse("pki_approval_decide", args=[row.id])
    refused = client.post(address, decision(row, decision="rejected"))
    assert refused.status_code == 422
    assert text_of(refused).count("Skriv varför du avslår.") >= 2
    assert 'value="rejected" checked' in refused.content.decode()
    client.post(address, decision(row, decision="rejected", justification="Fel generation"))
    row.refresh_from_db()
    assert row.state == ApprovalState.REJECTED
    assert "Fel generation" in text_of(client.get(reverse("pki_approval", args=[row.id])))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decision": ""}, "Välj om du godkänner eller avslår."),
        ({"decision": "maybe"}, "Välj godkänn eller avslå."),
        ({"justification": "x" * 1001}, "Motiveringen får ha högst 1000 tecken."),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_decided(world: Any, changes: dict[str, str], message: str) -> None:
    row = asked()
    answer = client_of(operator(world)).post(reverse("pki_approval_decide", args=[row.id]), decision(row, **changes))
    assert answer.status_code == 422
    assert message in text_of(answer)
    assert not Approval.objects.exists()


def test_nobody_decides_on_his_own_matter_or_twice(world: Any) -> None:
    actor = operator(world)
    client, row = client_of(actor), asked(actor.ref)
    page = client.get(reverse("pki_approval", args=[row.id]))
    assert "Du har själv lämnat begäran. Be en kollega att besluta." in text_of(page)
    refused = client.post(reverse("pki_approval_decide", args=[row.id]), decision(row))
    assert refused.status_code == 409
    assert "Be en kollega" in text_of(refused)
    other = asked()
    address = reverse("pki_approval_decide", args=[other.id])
    client.post(address, decision(other))
    again = client.post(address, decision(other))
    assert again.status_code == 409
    assert "En annan person ska lämna nästa." in text_of(again)
    assert Approval.objects.count() == 1


def test_a_ceremony_is_not_approved_on_a_page(world: Any) -> None:
    row = asked(action=ApprovalAction.CEREMONY)
    client = client_of(operator(world))
    assert "godkännarna skriver under filen" in text_of(client.get(reverse("pki_approval", args=[row.id])))
    assert client.post(reverse("pki_approval_decide", args=[row.id]), decision(row)).status_code == 409
    assert not Approval.objects.exists()


def test_a_document_that_is_not_the_one_that_was_shown_is_refused_and_what_was_typed_is_kept(world: Any) -> None:
    row, client = asked(), client_of(operator(world))
    form = decision(row, document_sha256="0" * 64, justification="Det jag skrev")
    answer = client.post(reverse("pki_approval_decide", args=[row.id]), form)
    assert answer.status_code == 409
    assert "Underlaget är inte det som ärendet gäller." in text_of(answer)
    assert "Det jag skrev" in answer.content.decode()
    assert not Approval.objects.exists()


def test_somebody_who_decided_meanwhile_is_told_of_and_what_was_typed_is_kept(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the matter and the decision another person rejects it."""
    row, client = asked(), client_of(operator(world))
    decide = approvals.decide

    def overtaken(**arguments: Any) -> None:
        dual_control.decide(
            request_id=row.id, approver_ref="user:another", decision=Decision.REJECTED, document_sha256=row.document_sha256,
            justification="Nej",
        )  # fmt: skip
        decide(**arguments)

    monkeypatch.setattr(approvals, "decide", overtaken)
    answer = client.post(reverse("pki_approval_decide", args=[row.id]), decision(row, justification="Det jag skrev"))
    assert answer.status_code == 409
    text = text_of(answer)
    assert "Ärendet väntar inte på godkännande längre." in text
    assert "Avslog" in text  # the page shows how it stands now
    assert "Det jag skrev" in answer.content.decode()
    assert Approval.objects.count() == 1


def test_a_matter_that_is_too_old_is_closed_to_decisions(world: Any) -> None:
    row, client = asked(expires_at=clock.now() - dt.timedelta(seconds=1)), client_of(operator(world))
    answer = client.post(reverse("pki_approval_decide", args=[row.id]), decision(row))
    assert answer.status_code == 409
    assert "Tiden gick ut" in text_of(answer)


def test_a_decision_demands_a_log_in_of_now_and_keeps_what_was_filled_in(world: Any) -> None:
    row, actor = asked(), operator(world)
    client, address = client_of(actor), reverse("pki_approval_decide", args=[row.id])
    with clock.moved_to(clock.now() + dt.timedelta(minutes=10)):
        assert client.get(reverse("pki_approval", args=[row.id])).status_code == 200
        asked_for = client.get(address)
        sent = client.post(address, decision(row, justification="Det jag skrev"))
        assert not Approval.objects.exists()
    for answer in (asked_for, sent):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/logga-in/?next=")
    page = client.get(address)  # back within the minutes of a log-in
    assert "Det jag skrev" in page.content.decode()
    assert 'value="approved" checked' in page.content.decode()
    assert f'value="{row.document_sha256}"' in page.content.decode()


def test_ones_own_matter_is_taken_back_after_a_question(world: Any) -> None:
    actor = operator(world)
    client, row = client_of(actor), asked(actor.ref)
    address = reverse("pki_approval_withdraw", args=[row.id])
    assert f'href="{address}"' in client.get(reverse("pki_approval", args=[row.id])).content.decode()
    assert "Vill du ta tillbaka ärendet?" in text_of(client.get(address))
    row.refresh_from_db()
    assert row.state == ApprovalState.OPEN
    assert "Ärendet är återtaget." in text_of(client.post(address, follow=True))
    row.refresh_from_db()
    assert row.state == ApprovalState.WITHDRAWN
    assert client.post(address).status_code == 409
    assert client_of(operator(world, "Nanna")).post(reverse("pki_approval_withdraw", args=[asked().id])).status_code == 403


@pytest.mark.parametrize("name", ["pki_approval", "pki_approval_decide", "pki_approval_withdraw"])
def test_an_unknown_matter_is_404(world: Any, name: str) -> None:
    assert client_of(operator(world)).get(reverse(name, args=[uuid.uuid4()])).status_code == 404


def test_the_overview_says_how_many_wait(world: Any) -> None:
    client = client_of(operator(world))
    assert "väntar på beslut" not in text_of(client.get(reverse("pki_authorities")))
    asked()
    asked()
    assert "2 ärenden väntar på beslut." in text_of(client.get(reverse("pki_authorities")))


def test_the_pages_cost_the_same_however_many_matters_there_are(world: Any) -> None:
    client, row = client_of(operator(world)), asked()
    for address in (reverse("pki_approvals"), reverse("pki_approval", args=[row.id])):
        client.get(address)
        with CaptureQueriesContext(connection) as few:
            client.get(address)
        for _ in range(4):
            asked()
            asked(state=ApprovalState.USED, closed_at=clock.now())
        with CaptureQueriesContext(connection) as many:
            client.get(address)
        assert len(many) <= len(few) + 2  # the closed ones' decisions and names, once
        assert len(many) <= 14


def test_an_operator_whose_right_is_newer_than_the_matter_does_not_decide(world: Any) -> None:
    """Nobody is made an operator in order to approve (ADR 0296)."""
    row, older = asked(), operator(world)
    newer = operator(world, "Nya", new=True)
    address = reverse("pki_approval_decide", args=[row.id])
    refused = client_of(newer).post(address, {"decision": "approved", "document_sha256": row.document_sha256})
    assert refused.status_code == 409
    assert "Din behörighet är yngre än begäran." in text_of(refused)
    with pytest.raises(Forbidden, match="second-person"):
        approvals.decide(actor=newer, request_id=row.id, approve=True, document_sha256=row.document_sha256, justification="")
    assert not row.approvals.exists()
    assert approvals.refusal(older, approval(row.id)) == ""
