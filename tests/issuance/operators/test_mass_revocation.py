"""Mass revocation on pages: counted, asked for once, approved by two others, started, stopped, followed and reported."""

import datetime as dt
import threading
import uuid
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.carriers.models import CarrierCertificate
from issuance.housekeeping.services import clean_up
from issuance.operators.models import MassTrial
from issuance.operators.web.mass_forms import LONGEST_LIST
from issuance.records.models.events import Event
from pki import models as pki_models
from pki.mass_revocation import MassRevocationView, execution, mass_revocation
from pki.models import ApprovalRequest, Certificate, CertificateAuthority, MassRevocation
from siths_portal.lib import clock
from tests.issuance.operators.operators import client_of, operator
from tests.issuance.person_page.test_pages import text_of
from tests.pki.mass_revocation.test_mass_revocation import profile, rows_like
from tests.pki.orders import PERSON_PROFILES, card, plan
from tests.waiting import sessions_waiting, wait_for

CA = "person-hsaid-3:1"
NEW, LIST = "/pki/massparr/ny/", "/pki/massparr/"
MINUTE = "%Y-%m-%dT%H:%M"


def certificates(count: int, slug: str = "person-hsaid-3", **changes: Any) -> list[Certificate]:
    return rows_like(None, count, CertificateAuthority.objects.get(slug=slug), **changes)


def grounds(**changes: str) -> dict[str, str]:
    now = clock.now().astimezone(clock.STOCKHOLM)
    return {
        "reason": "keyCompromise", "justification": "Svaga nycklar", "received_at": now.strftime(MINUTE), "channel": "phone",
        "invalidity_date": "", "requester": "", "registered_by": "", "kept_at": "", "publish_crls": "on",
    } | changes  # fmt: skip


def trial_of(client: Client, **criteria: Any) -> str:
    """The address of the trial count of the criteria."""
    answer = client.post(NEW, criteria or {"cas": [CA]})
    assert answer.status_code == 302, text_of(answer)
    return str(answer["Location"])


def asked(client: Client, **criteria: Any) -> MassRevocationView:
    answer = client.post(trial_of(client, **criteria), grounds())
    assert answer.status_code == 302, text_of(answer)
    return mass_revocation(uuid.UUID(answer["Location"].rstrip("/").rsplit("/", 1)[-1]))


def approve(world: Any, made: MassRevocationView) -> None:
    """Two other persons, on the pages of matters."""
    for name in ("Nanna", "Sigrid"):
        client = client_of(operator(world, name))
        form = {"document_sha256": made.document_sha256, "decision": "approved", "justification": ""}
        assert client.post(reverse("pki_approval_decide", args=[made.approval_request_id]), form).status_code == 302


def address(name: str, made: MassRevocationView) -> str:
    return reverse(f"pki_mass_{name}", args=[made.id])


@pytest.mark.usefixtures("authorities")
class TestCount:
    """The criteria, and what they take."""

    def test_every_criterion_restricts_and_the_page_says_what_it_takes(self, world: Any) -> None:
        auth, sign = profile(), profile("person-hsaid-sign")
        (one,) = certificates(1, profile_version=auth, unit_ref="unit:1", client_ref="client:1", spki_sha256="ab" * 32)
        certificates(4, profile_version=sign)
        certificates(2, "person-id-3", profile_version=auth)
        certificates(1, profile_version=auth, status="revoked", revoked_at=clock.now(), reason="superseded")
        client, now = client_of(operator(world)), clock.now().astimezone(clock.STOCKHOLM)
        day = dt.timedelta(days=1)
        cases = [
            ({"cas": [CA]}, 6),
            ({"cas": [CA, "person-id-3:1"]}, 8),
            ({"profiles": ["person-hsaid-auth"]}, 4),
            ({"issued_from": (now - day).strftime(MINUTE)}, 8),
            ({"issued_until": (now - day).strftime(MINUTE)}, 0),
            ({"serials": f"\r\n {one.serial.lower()} \r\n\r\n"}, 1),
            ({"key_hashes": "AB" * 32}, 1),
            ({"unit_ref": "unit:1"}, 1),
            ({"client_ref": "client:1", "cas": [CA]}, 1),
        ]
        for criteria, expected in cases:
            text = text_of(client.get(trial_of(client, **criteria)))
            assert (f"Urvalet träffar {expected} certifikat" if expected else "Urvalet träffar inga certifikat") in text, criteria
        text = text_of(client.get(trial_of(client)))
        name = CertificateAuthority.objects.get(slug="person-hsaid-3").common_name
        assert f"{name} Legitimering med tjänste-id (person-hsaid-auth) 0 1 1 2" in text
        assert f"{name} Underskrift med tjänste-id (person-hsaid-sign) 0 4 0 4" in text
        assert "Summa 0 5 1 6" in text
        assert "Spärras 5" in text
        assert one.serial in text

    def test_it_is_noted_without_numbers_and_changes_nothing(self, world: Any) -> None:
        (row,) = certificates(1)
        actor = operator(world)
        trial_of(client_of(actor), serials=row.serial)
        event = Event.objects.get(action="mass_revocation.counted")
        assert (event.actor_ref, event.facts["criteria"], event.facts["total"]) == (actor.ref, ["serials"], 1)
        assert row.serial not in str(event.facts)
        assert not MassRevocation.objects.exists()
        assert not Certificate.objects.filter(status="revoked").exists()

    @pytest.mark.parametrize(
        ("criteria", "message"),
        [
            ({}, "Välj minst ett villkor. Utan villkor skulle allt spärras."),
            ({"include_expired": "on"}, "Välj minst ett villkor."),
            ({"cas": ["nosuch:1"]}, "Välj bland utfärdarna i listan."),
            ({"profiles": ["nosuch"]}, "Välj bland profilerna i listan."),
            ({"serials": "hej"}, "Värde nummer 1 i listan går inte att läsa. Skriv serienumren hexadecimalt."),
            ({"serials": "ab\nhej\nå"}, "2 värden i listan går inte att läsa: nummer 2, 3."),
            ({"key_hashes": "abcd"}, "Värde nummer 1 i listan går inte att läsa. Skriv varje SHA-256"),
            ({"issued_from": "i går"}, "Ange datum och klockslag"),
            ({"issued_from": "2026-02-01T00:00", "issued_until": "2026-01-01T00:00"}, "Sluttiden ska vara senare än starttiden."),
            ({"serials": "A" * 1_000_001}, "Listan är för lång för sidan."),
        ],
        ids=["none", "no-restriction", "ca", "profile", "serial", "serials", "key", "moment", "window", "long"],
    )
    def test_what_is_wrong_is_said_at_its_field_and_kept(self, world: Any, criteria: dict[str, Any], message: str) -> None:
        answer = client_of(operator(world)).post(NEW, criteria | {"unit_ref": ""})
        assert answer.status_code == 422
        assert message in text_of(answer)
        for value in criteria.values():
            if isinstance(value, str) and value != "on" and len(value) < 100:
                assert value in answer.content.decode()
        assert not MassTrial.objects.exists()

    def test_the_longest_lists_that_the_page_takes_are_taken_together(self, world: Any) -> None:
        """As a browser sends the page's form: multipart, in which a line break is two octets and not six."""
        client = client_of(operator(world))
        page = client.get(NEW).content.decode()
        assert f'action="{NEW}" enctype="multipart/form-data"' in page
        assert "maxlength" not in page.split("<textarea")[1].split(">")[0]  # browsers would cut what is pasted, unsaid
        form = {
            name: "\r\n".join(f"{number:0{digits}X}" for number in range(1, LONGEST_LIST // (digits + 2))).ljust(
                LONGEST_LIST, "\n"
            )
            for name, digits in (("serials", 40), ("key_hashes", 64))
        }
        assert {len(value) for value in form.values()} == {LONGEST_LIST}
        answer = client.post(NEW, form)
        assert answer.status_code == 302
        assert "Urvalet träffar inga certifikat" in text_of(client.get(answer["Location"]))

    def test_more_than_a_form_may_hold_is_refused_as_too_large(self, world: Any) -> None:
        answer = client_of(operator(world)).post(NEW, {"serials": "A" * 3_000_000})
        assert "Uppgifterna är för stora" in text_of(answer)
        assert answer.status_code == 413

    def test_lists_tell_what_hit_nothing_and_the_selection_can_be_changed(self, world: Any) -> None:
        (row,) = certificates(1)
        client = client_of(operator(world))
        where = trial_of(client, serials=f"{row.serial}\n4711\n0815", cas=[CA], issued_from="2026-01-02T03:04")
        page = client.get(where)
        assert "2 serienummer träffar inget." in text_of(page)
        assert "4711" in text_of(page)
        again = client.get(f"{NEW}?fran={where.rstrip('/').rsplit('/', 1)[-1]}").content.decode()
        for expected in (f'value="{CA}" checked', row.serial, "4711", 'value="2026-01-02T03:04"'):
            assert expected in again, expected

    def test_anothers_and_an_older_count_are_unknown(self, world: Any) -> None:
        certificates(1)
        actor = operator(world)
        where = trial_of(client_of(actor))
        key = where.rstrip("/").rsplit("/", 1)[-1]
        for other in (client_of(operator(world, "Nanna")), client_of(actor)):  # the second is a new session
            assert other.get(where).status_code == 404
            assert other.post(where, grounds()).status_code == 404
            assert other.get(f"{NEW}?fran={key}").status_code == 404
        assert not MassRevocation.objects.exists()
        with clock.moved_to(clock.now() + dt.timedelta(days=2)):
            clean_up.delete_old()
        assert not MassTrial.objects.exists()

    def test_long_lists_are_shown_by_their_number(self, world: Any) -> None:
        rows = certificates(30)
        client = client_of(operator(world))
        text = text_of(client.get(trial_of(client, serials="\n".join(row.serial for row in rows))))
        assert "30 värden" in text
        assert sum(row.serial in text for row in rows) == 10  # the samples

    def test_the_page_costs_the_same_however_many_certificates_there_are(self, world: Any) -> None:
        client = client_of(operator(world))
        counts = []
        for _ in range(2):
            certificates(30)
            where = trial_of(client)
            client.get(where)
            with CaptureQueriesContext(connection) as queries:
                client.get(where)
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 15


@pytest.mark.usefixtures("demo_pki")
def test_certificates_of_protected_persons_are_counted_and_not_shown(world: Any) -> None:
    order = world.order(world.post(protected=True), actor=world.officer(protected=True))
    ids = plan(*card())
    CarrierCertificate.objects.bulk_create(
        CarrierCertificate(certificate_id=pk, carrier=order.carrier, profile=name)
        for pk, name in zip(ids, PERSON_PROFILES, strict=True)
    )
    serials = list(Certificate.objects.filter(id__in=ids).values_list("serial", flat=True))
    for protected, shown in ((False, 0), (True, 4)):
        client = client_of(operator(world, protected=protected))
        text = text_of(client.get(trial_of(client, cas=[CA, "person-id-3:1"])))
        assert "Urvalet träffar 4 certifikat" in text
        assert sum(serial in text for serial in serials) == shown
        assert ("Certifikaten är utanför din behörighet." in text) == (shown == 0)


@pytest.mark.usefixtures("authorities")
class TestRequest:
    """The grounds, the dual control and the start."""

    def test_everything_that_is_filled_in_is_in_the_document_and_shown(self, world: Any) -> None:
        certificates(3)
        actor = operator(world)
        client = client_of(actor)
        form = grounds(
            channel="paper", received_at="2026-01-02T03:04", invalidity_date="2026-01-01T00:00", requester="case:1",
            registered_by="user:9", kept_at="Pärm 4", publish_crls="",
        )  # fmt: skip
        page = client.post(trial_of(client), form, follow=True)
        text = text_of(page)
        for expected in (
            "Masspärren är begärd.", "Väntar på beslut", "0 av 2", "Nyckeln kan vara röjd", "Svaga nycklar",
            "På papper", "2026-01-02 03:04:00", "2026-01-01 00:00:00", "case:1", "user:9", "Pärm 4",
            "Ester Förvaltarsson", "andra personer ska godkänna först", "Visa ärendet",
        ):  # fmt: skip
            assert expected in text, expected
        row = MassRevocation.objects.get()
        assert (row.requested_by_ref, row.total, row.publish_crls) == (actor.ref, 3, False)
        assert pki_models.Event.objects.get(action="mass_revocation.requested").actor_ref == actor.ref
        matter = text_of(client.get(reverse("pki_approval", args=[row.approval_request_id])))
        assert "Visa masspärren" in matter
        assert "Nya spärrlistor genast nej" in matter

    def test_a_second_click_asks_for_nothing_more(self, world: Any) -> None:
        certificates(1)
        client = client_of(operator(world))
        where = trial_of(client)
        first, second = (client.post(where, grounds()) for _ in range(2))
        assert first["Location"] == second["Location"] == client.get(where)["Location"]
        assert MassRevocation.objects.count() == 1

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"reason": ""}, "Välj en spärrorsak."),
            ({"reason": "cACompromise"}, "Välj en spärrorsak i listan."),
            ({"justification": " "}, "Skriv varför certifikaten ska spärras."),
            ({"justification": "x" * 1001}, "Motiveringen får ha högst 1000 tecken."),
            ({"received_at": ""}, "Ange datum och klockslag"),
            ({"received_at": "2999-01-01T00:00"}, "Ange en tid som har varit."),
            ({"invalidity_date": "2999-01-01T00:00"}, "Ange en tid som har varit."),
            ({"channel": "pigeon"}, "Välj hur begäran kom in i listan."),
            ({"channel": "paper"}, "Ange vem som skrev ner begäran och var papperet finns."),
        ],
    )
    def test_what_is_wrong_is_said_and_what_was_typed_is_kept(self, world: Any, changes: dict[str, str], message: str) -> None:
        certificates(1)
        client = client_of(operator(world))
        answer = client.post(trial_of(client), grounds(requester="case:4711") | changes)
        assert answer.status_code == 422
        assert message in text_of(answer)
        assert "case:4711" in answer.content.decode()
        assert not MassRevocation.objects.exists()

    def test_certificates_that_changed_since_the_count_are_refused(self, world: Any) -> None:
        certificates(1)
        (row,) = certificates(1, status="reserved", issued_at=None)
        client = client_of(operator(world))
        where = trial_of(client)
        Certificate.objects.filter(pk=row.pk).update(status="failed")
        answer = client.post(where, grounds(justification="Det jag skrev"))
        assert answer.status_code == 409
        assert "Gör en ny provräkning." in text_of(answer)
        assert "Det jag skrev" in answer.content.decode()
        assert not MassRevocation.objects.exists()

    def test_the_request_demands_a_log_in_of_now_and_keeps_what_was_filled_in(self, world: Any) -> None:
        certificates(1)
        client = client_of(operator(world))
        where = trial_of(client)
        with clock.moved_to(clock.now() + dt.timedelta(minutes=10)):
            answer = client.post(where, grounds(justification="Det jag skrev", publish_crls=""))
        assert answer["Location"].startswith("/logga-in/?next=")
        assert not MassRevocation.objects.exists()
        page = client.get(where).content.decode()
        assert "Det jag skrev" in page
        assert 'value="keyCompromise" checked' in page

    def test_it_starts_when_two_others_have_approved_and_not_before(self, world: Any) -> None:
        certificates(3)
        client = client_of(operator(world))
        made = asked(client)
        for answer in (client.get(address("start", made)), client.post(address("start", made))):
            assert "2 andra personer ska godkänna först." in text_of(answer)
        assert answer.status_code == 409
        approve(world, made)
        page = client.get(address("revocation", made))
        assert f'href="{address("start", made)}"' in page.content.decode()
        assert "Nanna Förvaltarsson, Sigrid Förvaltarsson" in text_of(page)
        assert "Vill du starta masspärren?" in text_of(client.get(address("start", made)))
        assert mass_revocation(made.id).state == "approved"
        assert "Masspärren är startad." in text_of(client.post(address("start", made), follow=True))
        assert mass_revocation(made.id).state == "running"
        assert client.post(address("start", made)).status_code == 409

    def test_the_start_demands_a_log_in_of_now_and_the_stop_does_not(self, world: Any) -> None:
        certificates(1)
        client = client_of(operator(world))
        made = asked(client)
        approve(world, made)
        with clock.moved_to(clock.now() + dt.timedelta(minutes=10)):
            assert client.post(address("start", made))["Location"].startswith("/logga-in/")
            assert mass_revocation(made.id).state == "approved"
        client.post(address("start", made))
        with clock.moved_to(clock.now() + dt.timedelta(minutes=10)):
            client.post(address("stop", made), {"justification": "Fel underlag"})
        assert mass_revocation(made.id).state == "stopped"

    def test_one_that_is_too_old_is_not_offered(self, world: Any) -> None:
        """Also before the approval is closed for that."""
        certificates(1)
        client = client_of(operator(world))
        made = asked(client)
        approve(world, made)
        ApprovalRequest.objects.filter(pk=made.approval_request_id).update(expires_at=clock.now())
        page = client.get(address("revocation", made))
        assert "Tiden gick ut" in text_of(page)
        assert address("start", made) not in page.content.decode()
        for answer in (client.get(address("start", made)), client.post(address("start", made))):
            assert "Vill du starta masspärren?" not in text_of(answer)
        assert answer.status_code == 409
        assert "Tiden gick ut" in text_of(client.get(LIST))

    def test_a_count_that_is_forgotten_while_it_is_asked_for_is_unknown(self, world: Any) -> None:
        certificates(1)
        client = client_of(operator(world))
        where = trial_of(client)
        answers: list[Any] = []

        def click() -> None:
            try:
                answers.append(client.post(where, grounds()))
            finally:
                connection.close()

        with transaction.atomic():
            MassTrial.objects.all().delete()
            thread = threading.Thread(target=click)
            thread.start()
            wait_for(lambda: sessions_waiting() == 1, "the request that waits for the trial count")
        thread.join()
        assert [answer.status_code for answer in answers] == [404]
        assert not MassRevocation.objects.exists()

    def test_it_is_stopped_with_a_reason_and_goes_on(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(execution, "BATCH", 2)
        certificates(6)
        actor = operator(world)
        client = client_of(actor)
        made = asked(client)
        assert client.post(address("stop", made), {"justification": "x"}).status_code == 409
        approve(world, made)
        client.post(address("start", made))
        execution._batch(made.id)
        refused = client.post(address("stop", made), {"justification": " "})
        assert (refused.status_code, "Skriv varför" in text_of(refused)) == (422, True)
        page = client.post(address("stop", made), {"justification": "Fel underlag"}, follow=True)
        text = text_of(page)
        for expected in ("Masspärren är stoppad.", "2 av 6 certifikat behandlade", "Fortsätt masspärren", "förblir spärrade"):
            assert expected in text, expected
        event = pki_models.Event.objects.get(action="mass_revocation.stopped")
        assert (event.actor_ref, event.facts["justification"]) == (actor.ref, "Fel underlag")
        assert "Vill du fortsätta masspärren?" in text_of(client.get(address("start", made)))
        client.post(address("start", made))
        assert mass_revocation(made.id).state == "running"
        assert pki_models.Event.objects.filter(action="mass_revocation.continued", actor_ref=actor.ref).count() == 1

    @pytest.mark.parametrize("name", ["revocation", "start", "stop"])
    def test_an_unknown_one_is_404(self, world: Any, name: str) -> None:
        assert client_of(operator(world)).get(reverse(f"pki_mass_{name}", args=[uuid.uuid4()])).status_code == 404


@pytest.mark.usefixtures("authorities")
class TestList:
    """All of them, and how far each has come."""

    def test_an_empty_list_says_what_it_is_for(self, world: Any) -> None:
        answer = client_of(operator(world)).get(LIST)
        assert "Ingen masspärr finns" in text_of(answer)
        assert f'href="{NEW}"' in answer.content.decode()

    def test_it_goes_on_page_by_page_the_newest_first(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        from issuance.operators.web.lists import MassList

        monkeypatch.setattr(MassList, "page_size", 2)
        certificates(1)
        client, where = client_of(operator(world)), LIST
        ids = [asked(client).id for _ in range(5)]
        seen = []
        while where:
            page = client.get(where)
            seen += [row["found"].id for row in page.context["list"].lines]
            where = page.context["list"].next_url
        assert seen == ids[::-1]
        assert "0 av 1" in text_of(page)
        assert "Ester Förvaltarsson" in text_of(page)

    def test_the_pages_cost_the_same_however_many_there_are(self, world: Any) -> None:
        certificates(1)
        client = client_of(operator(world))
        counts = []
        for _ in range(2):
            made, _, _ = (asked(client) for _ in range(3))
            for where in (LIST, address("revocation", made)):
                client.get(where)
                with CaptureQueriesContext(connection) as queries:
                    client.get(where)
                counts.append(len(queries))
        assert counts[:2] == counts[2:]
        assert max(counts) <= 12


class TestProgress:
    """While it is carried out, and afterwards."""

    def test_the_part_that_changes_is_fetched_and_a_new_state_draws_the_page_anew(
        self, world: Any, demo_pki: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(execution, "BATCH", 2)
        certificates(5)
        client = client_of(operator(world))
        made = asked(client)
        approve(world, made)
        client.post(address("start", made))
        where = address("revocation", made)
        page = client.get(where).content.decode()
        assert f'hx-get="{where}?lage=running"' in page
        assert 'hx-trigger="every 2s"' in page
        ask = {"HTTP_HX_REQUEST": "true"}
        for done in ("0 av 5", "2 av 5", "4 av 5"):
            part = client.get(f"{where}?lage=running", **ask)
            assert (part.status_code, "<html" in part.content.decode()) == (200, False)
            assert f"{done} certifikat behandlade" in text_of(part)
            execution._batch(made.id)
        execution._batch(made.id)
        assert client.get(f"{where}?lage=running", **ask)["HX-Refresh"] == "true"
        MassRevocation.objects.update(claimed_until=None)
        while execution.run(made.id):
            pass
        assert client.get(f"{where}?lage=publishing", **ask)["HX-Refresh"] == "true"
        answer = client.get(where)
        assert "hx-get" not in answer.content.decode().split('id="lage"')[1].split(">")[0]
        text = text_of(answer)
        listed = "Spärrlista, DEMO SITHS e-id Person HSA-id 3 CA v1 nummer "
        for expected in ("Klar", "5 av 5 certifikat behandlade", "Resultatet är som det godkända underlaget.", listed):
            assert expected in text, expected

    @pytest.mark.usefixtures("authorities")
    def test_without_script_it_is_updated_by_a_link_and_by_itself_if_wanted(self, world: Any) -> None:
        certificates(1)
        client = client_of(operator(world))
        made = asked(client)
        where = address("revocation", made)
        assert "Uppdatera sidan" not in client.get(where).content.decode()
        approve(world, made)
        client.post(address("start", made))
        page = client.get(where).content.decode()
        assert "Uppdatera sidan" in page
        assert 'content="10"' not in page
        assert (
            '<noscript><meta http-equiv="refresh" content="10"></noscript>' in client.get(f"{where}?uppdatera=1").content.decode()
        )

    @pytest.mark.usefixtures("authorities")
    def test_what_holds_the_end_up_and_what_differs_is_said(self, world: Any) -> None:
        rows = certificates(2)
        client = client_of(operator(world))
        made = asked(client)
        MassRevocation.objects.filter(pk=made.id).update(
            state="publishing", started_at=clock.now(), failure="person-hsaid-3:1 HsmUnavailable", revoked=2
        )
        text = text_of(client.get(address("revocation", made)))
        name = CertificateAuthority.objects.get(slug="person-hsaid-3").common_name
        assert f"Det går inte att publicera just nu: {name} HsmUnavailable" in text
        report = {
            "crl_numbers": {CA: None}, "ocsp_waiting": 0, "members_sha256": "ab" * 32,
            "differences": {"members": 0, "passed": 0, "revoked_meanwhile": len(rows), "not_revoked": 0},
        }  # fmt: skip
        MassRevocation.objects.filter(pk=made.id).update(state="finished", failure="", report=report, finished_at=clock.now())
        text = text_of(client.get(address("revocation", made)))
        assert "Resultatet skiljer sig från det godkända underlaget." in text
        assert "Spärrade av andra under tiden 2" in text
        assert "publiceras inte härifrån" in text
