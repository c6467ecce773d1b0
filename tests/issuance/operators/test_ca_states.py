"""Changing a CA's state on pages: the consequences, the request, another's approval, and carrying it out once."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from pki.approvals import dual_control
from pki.authorities import ca_states
from pki.models import ApprovalRequest, ApprovalState, CaImport, CaState, Certificate, CertificateAuthority, Decision, Event
from siths_portal.lib import clock
from tests.issuance.operators.operators import client_of, operator
from tests.issuance.person_page.test_pages import text_of
from tests.pki.orders import card, plan

pytestmark = pytest.mark.usefixtures("demo_pki")
ROOT = "root"
CA = ("person-hsaid-3", 1)
NAME = "DEMO SITHS e-id Person HSA-id 3 CA v1"
ADDRESS = "/pki/utfardare/person-hsaid-3/1/tillstand/"
TYPED = {"state": "retired", "justification": "Ersätts av generation 2"}


def ca(slug: str = CA[0]) -> CertificateAuthority:
    return CertificateAuthority.objects.get(slug=slug, generation=1)


def approved(world: Any, target: str = "retired", *, requester: str = "user:nobody", slug: str = CA[0]) -> ApprovalRequest:
    row = ca_states.plan_state_change(slug=slug, generation=1, target=target, justification="Prov", requester_ref=requester)
    dual_control.decide(
        request_id=row.id, approver_ref="user:other", decision=Decision.APPROVED, document_sha256=row.document_sha256
    )
    row.refresh_from_db()
    return row


def matters() -> "QuerySet[ApprovalRequest]":
    """Without the demo's ceremony."""
    return ApprovalRequest.objects.filter(action="ca-state")


def planned() -> CertificateAuthority:
    return CertificateAuthority.objects.create(
        slug=CA[0], generation=2, common_name="DEMO SITHS e-id Person HSA-id 3 CA v2", definition_sha256="0" * 64,
        file_stem="v2", crl_period=dt.timedelta(hours=1), crl_validity=dt.timedelta(hours=48), created_at=clock.now(),
    )  # fmt: skip


def test_planned_cas_stand_in_the_list_with_the_others(world: Any) -> None:
    made = planned()
    page = client_of(operator(world)).get(reverse("pki_authorities"))
    assert f'href="{reverse("pki_authority", args=(CA[0], 2))}"' in page.content.decode()
    assert made.common_name in text_of(page)
    assert text_of(page).count("Planerad") == 1


def test_the_form_tells_what_each_state_brings(world: Any) -> None:
    plan(*card())
    Certificate.objects.filter(ca=ca()).update(status="issued", issued_at=clock.now())
    number = Certificate.objects.filter(ca=ca()).count()
    client = client_of(operator(world))
    assert f'href="{ADDRESS}"' in client.get(reverse("pki_authority", args=CA)).content.decode()
    page = client.get(ADDRESS)
    text = text_of(page)
    for expected in (
        NAME, "Bara status", "Avvecklad", "Röjd", "Går inte att ångra. En ny generation får ta över.",
        "Inget händer förrän en annan person har godkänt den.",
        f"{number} certifikat som inte är spärrade gäller som förut och kan spärras.",
        f"{number} certifikat som inte är spärrade gäller till giltighetstidens slut, och kan spärras.",
        "Den sista spärrlistan gäller för alltid.",
        "Utfärdarens eget certifikat spärras inte här.", "Går att ångra: utfärdaren kan sättas att utfärda igen.",
    ):  # fmt: skip
        assert expected in text, expected
    assert 'value="active"' not in page.content.decode()
    root = text_of(client.get(f"/pki/utfardare/{ROOT}/1/tillstand/"))
    assert "En rot kan inte spärras." in root
    assert f"Det drabbar också utfärdarna under den: {', '.join(sorted(_children()))}" in root


def _children() -> list[str]:
    own = CertificateAuthority.objects.filter(parent__slug="root").order_by("slug")
    return list(own.values_list("common_name", flat=True))


def test_from_request_by_way_of_another_to_the_change(world: Any) -> None:
    asker, colleague = operator(world), operator(world, "Nanna")
    first, second = client_of(asker), client_of(colleague)
    asked = first.post(ADDRESS, TYPED, follow=True)
    matter = matters().get()
    address = reverse("pki_approval", args=[matter.id])
    assert asked.redirect_chain == [(address, 302)]
    text = text_of(asked)
    assert "Ändringen är begärd. En annan person ska godkänna den." in text
    assert f"{NAME}: från utfärdar till avvecklad" in text
    assert "Det här händer Går inte att ångra." in text
    assert (matter.requester_ref, matter.document["justification"]) == (asker.ref, "Ersätts av generation 2")
    carry = reverse("pki_approval_carry_out", args=[matter.id])
    assert carry not in asked.content.decode()
    assert first.post(carry).status_code == 409
    decision = {"document_sha256": matter.document_sha256, "decision": "approved", "justification": ""}
    decide = reverse("pki_approval_decide", args=[matter.id])
    assert "Det här händer" in text_of(second.get(decide))
    done = second.post(decide, decision, follow=True)
    assert f'href="{carry}"' in done.content.decode()
    assert ca().state == CaState.ACTIVE
    question = text_of(first.get(carry))
    assert "Vill du genomföra ändringen nu?" in question
    assert "Det här händer" in question
    changed = first.post(carry, follow=True)
    assert changed.redirect_chain == [(reverse("pki_authority", args=CA), 302)]
    assert "Utfärdarens tillstånd är ändrat." in text_of(changed)
    assert "Avvecklad" in text_of(changed)
    assert ca().state == CaState.RETIRED
    event = Event.objects.get(action="authority.state_changed")
    assert (event.actor_ref, event.facts["to"], event.facts["approval"]) == (asker.ref, "retired", str(matter.id))
    assert first.post(carry).status_code == 409
    ended = text_of(first.get(address))
    assert "Utfört" in ended
    assert "Det här händer" not in ended
    assert Event.objects.filter(action="authority.state_changed").count() == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": ""}, "Välj det nya tillståndet."),
        ({"state": "planned"}, "Välj ett av tillstånden."),
        ({"state": "active"}, "Välj ett av tillstånden."),
        ({"justification": " "}, "Skriv varför utfärdaren ska få ett annat tillstånd."),
        ({"justification": "x" * 1001}, "Motiveringen får ha högst 1000 tecken."),
        ({"justification": "a\x00b"}, "Null-tecken"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_asked(world: Any, changes: dict[str, str], message: str) -> None:
    answer = client_of(operator(world)).post(ADDRESS, TYPED | changes)
    assert answer.status_code == 422
    assert message in text_of(answer)
    assert not matters().exists()


def test_a_ca_has_one_matter_at_a_time(world: Any) -> None:
    client = client_of(operator(world))
    client.post(ADDRESS, TYPED)
    again = client.post(ADDRESS, TYPED | {"state": "status_only"})
    assert again.status_code == 409
    text = text_of(again)
    assert "Ett annat ärende om utfärdarens tillstånd är inte avslutat." in text
    assert reverse("pki_approval", args=[matters().get().id]) in again.content.decode()
    on_page = client.get(reverse("pki_authority", args=CA))
    assert "Ett annat ärende om utfärdarens tillstånd är inte avslutat." in text_of(on_page)
    assert f'href="{ADDRESS}"' not in on_page.content.decode()
    assert "Ett annat tillstånd är begärt och väntar på beslut. Visa ärendet" in text_of(on_page)
    matter = matters().get()
    dual_control.decide(
        request_id=matter.id, approver_ref="user:other", decision=Decision.APPROVED, document_sha256=matter.document_sha256
    )
    assert "godkänt och väntar på att genomföras" in text_of(client.get(reverse("pki_authority", args=CA)))


def test_a_ca_that_stays_what_it_is_says_why(world: Any) -> None:
    CertificateAuthority.objects.filter(slug=CA[0]).update(state=CaState.COMPROMISED)
    planned()
    client = client_of(operator(world))
    assert "En röjd utfärdare kan inte få ett annat tillstånd." in text_of(client.get(ADDRESS))
    assert client.post(ADDRESS, TYPED).status_code == 409
    text = text_of(client.get("/pki/utfardare/person-hsaid-3/2/tillstand/"))
    assert "Utfärdaren har inget certifikat än; ceremonin är inte klar." in text
    assert client.get("/pki/utfardare/nobody/1/tillstand/").status_code == 404


def test_a_ca_whose_import_is_not_finished_says_so_before_anything_is_typed(world: Any) -> None:
    request = dual_control.request(action="import", summary="Prov", document={}, requester_ref="user:nobody")  # type: ignore[arg-type]
    CaImport.objects.create(
        ca=ca(), approval_request=request, inputs=[], inputs_sha256="ab" * 32, actor_ref="user:nobody", started_at=clock.now()
    )
    client = client_of(operator(world))
    for answer in (client.get(reverse("pki_authority", args=CA)), client.get(ADDRESS), client.post(ADDRESS, TYPED)):
        assert "Importen av utfärdaren är inte klar." in text_of(answer)
        assert "<textarea" not in answer.content.decode()
    assert answer.status_code == 409
    assert not matters().exists()


def test_a_matter_that_is_too_old_keeps_no_other_away(world: Any) -> None:
    """Also before it is closed for that."""
    client = client_of(operator(world))
    client.post(ADDRESS, TYPED)
    ApprovalRequest.objects.filter(pk=matters().get().pk).update(expires_at=clock.now())
    assert "<textarea" in client.get(ADDRESS).content.decode()
    assert client.post(ADDRESS, TYPED).status_code == 302
    assert matters().count() == 2


def test_a_ca_that_changed_meanwhile_is_left_alone(world: Any) -> None:
    matter = approved(world)
    CertificateAuthority.objects.filter(slug=CA[0]).update(state=CaState.STATUS_ONLY)
    answer = client_of(operator(world)).post(reverse("pki_approval_carry_out", args=[matter.id]), follow=True)
    assert "Utfärdaren är inte längre som när ändringen begärdes." in text_of(answer)
    assert ca().state == CaState.STATUS_ONLY
    matter.refresh_from_db()
    assert matter.state == ApprovalState.APPROVED


def test_what_may_be_undone_is_done_and_undone(world: Any) -> None:
    client = client_of(operator(world))
    for target in ("status_only", "active"):
        matter = approved(world, target)
        client.post(reverse("pki_approval_carry_out", args=[matter.id]))
        assert ca().state == target
    assert "Utfärdar" in text_of(client.get(reverse("pki_authority", args=CA)))


def test_acts_demand_a_log_in_of_now_and_keep_what_was_typed(world: Any) -> None:
    client, matter = client_of(operator(world)), approved(world, slug="function")
    carry = reverse("pki_approval_carry_out", args=[matter.id])
    with clock.moved_to(clock.now() + dt.timedelta(minutes=10)):
        answers = [client.get(ADDRESS), client.post(ADDRESS, TYPED), client.get(carry), client.post(carry)]
    for answer in answers:
        assert answer.status_code == 302
        assert answer["Location"].startswith("/logga-in/?next=")
    assert matters().count() == 1
    assert ca("function").state == CaState.ACTIVE


def test_what_was_typed_is_there_after_the_log_in(world: Any) -> None:
    client = client_of(operator(world))
    with clock.moved_to(clock.now() + dt.timedelta(minutes=10)):
        client.post(ADDRESS, TYPED)
    page = client.get(ADDRESS).content.decode()
    assert 'value="retired" checked' in page
    assert "Ersätts av generation 2" in page


def test_help_on_the_pki_is_for_those_who_operate_it(world: Any) -> None:
    text = text_of(client_of(operator(world)).get(reverse("help")))
    for expected in ("Lämna aldrig in en nyckel.", "Masspärr: ", "Minst 2 andra personer godkänner"):
        assert expected in text, expected
    assert "Ceremonier" not in text_of(client_of(world.officer()).get(reverse("help")))


def test_other_matters_are_not_carried_out_here(world: Any) -> None:
    other = dual_control.request(action="mass-revocation", summary="Prov", document={}, requester_ref="user:nobody")  # type: ignore[arg-type]
    assert client_of(operator(world)).get(reverse("pki_approval_carry_out", args=[other.id])).status_code == 404


def test_the_pages_cost_the_same_however_much_there_is(world: Any) -> None:
    client, matter = client_of(operator(world)), approved(world, slug="function")
    for address, most in (
        (ADDRESS, 16),
        (reverse("pki_approval", args=[matter.id]), 18),
        (reverse("pki_approval_carry_out", args=[matter.id]), 18),
    ):
        client.get(address)
        with CaptureQueriesContext(connection) as few:
            client.get(address)
        plan(*card())
        with CaptureQueriesContext(connection) as many:
            client.get(address)
        assert len(few) == len(many) <= most, address
