"""Ceremonies on pages: what is prepared and still needed, signatures that are handed in, and what was done."""

import datetime as dt
import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from pki.ceremonies import proposals
from pki.models import CeremonyProposal, CeremonySignature, Event, KeyCeremony
from siths_portal.lib import clock
from tests.issuance.operators.operators import client_of, operator
from tests.issuance.person_page.test_pages import text_of
from tests.pki.ceremony_people import Person, ceremony_file, person, three, written

pytestmark = pytest.mark.usefixtures("demo_pki")
LIST, PROPOSE = "/pki/ceremonier/", "/pki/ceremonier/ny/"
DONE = "acts:\n- {act: renew-status, ca: root, generation: 1}\n"


@pytest.fixture
def people(tmp_path: Path) -> list[Person]:
    return three(tmp_path)


@pytest.fixture
def file(people: list[Person], tmp_path: Path) -> Path:
    return written(people, tmp_path, DONE)


def upload(name: str, content: bytes) -> dict[str, SimpleUploadedFile]:
    return {"file": SimpleUploadedFile(name, content)}


def proposed(client: Client, file: Path) -> str:
    """Lays the file in; the address of its page."""
    answer = client.post(PROPOSE, upload("x.yaml", file.read_bytes()))
    assert answer.status_code == 302, text_of(answer)
    return str(answer["Location"])


def failed(file: Path) -> KeyCeremony:
    """A ceremony that an error has cut off, beside the demo's."""
    from pki.approvals import dual_control
    from pki.domain.ceremony_file import parse

    plan = parse(file.read_bytes())
    request = dual_control.request(action="ceremony", summary="Prov", document={"approvers": []}, requester_ref="participant:kim")  # type: ignore[arg-type]
    return KeyCeremony.objects.create(
        title=plan.title, environment=plan.environment, file_text=plan.text, file_sha256=plan.sha256, approval=request,
        participants=[{"role": "Vittne", "name": "Lo"}], state="failed", started_at=clock.now(), failure="HsmUnavailable",
    )  # fmt: skip


def test_from_the_file_to_enough_signatures(world: Any, people: list[Person], file: Path) -> None:
    actor = operator(world)
    client = client_of(actor)
    assert f'href="{PROPOSE}"' in client.get(LIST).content.decode()
    assert "Ingen ceremoni är förberedd" in text_of(client.get(LIST))
    address = proposed(client, file)
    page = client.get(address)
    text = text_of(page)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    for expected in (
        "Prov", "Väntar på underskrifter", "2 underskrifter saknas.", "Minst 2 av 3 ska skriva under.",
        "Kim, som begär ceremonin",
        "Publicera ny spärrlista och nya OCSP-svar för root, generation 1", sha256, "Ester Förvaltarsson",
        f"openssl cms -sign -binary -md sha256 -in ceremoni-{sha256[:12]}.yaml", "Klart: Förberedd", "2 Underskriven",
        "3 Genomförd", "Filen laddades upp för underskrift",
    ):  # fmt: skip
        assert expected in text, expected
    assert client.get(f"{address}fil.yaml").content == file.read_bytes()
    for number, each in enumerate(people[:2]):
        sign = f"{address}underskrift/"
        assert "Lämna aldrig in en nyckel." in text_of(client.get(sign))
        answer = client.post(sign, upload("a.p7s", each.sign(file).read_bytes()), follow=True)
        assert answer.redirect_chain == [(address, 302)]
        assert f"Underskriften av {each.name} stämmer och är sparad." in text_of(answer)
        assert CeremonySignature.objects.count() == number + 1
    text = text_of(answer)
    for expected in ("Klar att genomföra", "Klart: Underskriven", "3 Genomförd", "pki_ceremony ceremoni-", "Har skrivit under"):
        assert expected in text, expected
    assert "Så skriver en godkännare under" not in text
    assert "2 av 2 Underskriven" in text_of(client.get(LIST))
    noted = Event.objects.filter(subject_ref=sha256).order_by("id").values_list("action", "actor_ref")
    assert list(noted) == [("ceremony.proposed", actor.ref)] + [("ceremony.signature_registered", actor.ref)] * 2


def test_a_signature_that_no_longer_holds_is_told_since_the_command_refuses_all(world: Any, tmp_path: Path) -> None:
    people = [person(name, tmp_path, until=dt.timedelta(days=days)) for name, days in (("Ada", 2), ("Bo", 9), ("Cleo", 9))]
    file = written(people, tmp_path, DONE)
    actor = operator(world)
    address = proposed(client_of(actor), file)
    proposal = CeremonyProposal.objects.get()
    for each in people:
        proposals.register_signature(proposal.id, each.sign(file).read_bytes(), actor_ref=actor.ref)
    assert "Klar att genomföra" in text_of(client_of(actor).get(address))
    with clock.moved_to(clock.now() + dt.timedelta(days=3)):
        client = client_of(actor)
        text, listed = text_of(client.get(address)), text_of(client.get(LIST))
    for expected in (
        "Underskrift gäller inte längre", "1 underskrift gäller inte längre, och kommandot vägrar", "2 Underskriven",
        "Godkännarens certifikat gäller inte nu",
    ):  # fmt: skip
        assert expected in text, expected
    assert "Klar att genomföra" not in text
    assert "3 av 2 Underskrift gäller inte längre" in listed


def test_what_is_no_ceremony_file_is_said_at_the_field(world: Any, people: list[Person], file: Path, settings: Any) -> None:
    client = client_of(operator(world))
    past = file.read_text().replace("generation: 1}", "generation: 9}")
    for content, status, message in (
        (b"", 422, "Filen är tom. Välj en annan."),
        (b"ceremony: [", 422, "Filen går inte att följa: filen är inte YAML."),
        (b"\x00\x01", 422, "Filen går inte att följa:"),
        (b"x" * 200_001, 422, "filen är för stor, den får ha högst 200 kB."),
        (past.encode(), 409, "Utfärdaren root, generation 9, finns inte."),
    ):
        answer = client.post(PROPOSE, upload("x.yaml", content))
        assert answer.status_code == status, message
        assert text_of(answer).count(message) == 2, message  # in the summary and at the field
    assert "Välj ceremonifilen." in text_of(client.post(PROPOSE, {}))
    settings.UPLOADS_PER_MINUTE_BY_PERSON = 0  # S47
    answer = client.post(PROPOSE, upload("x.yaml", b"x"))
    assert (answer.status_code, int(answer["Retry-After"]) > 0, text_of(answer).count("Försök igen om")) == (429, True, 2)
    assert not CeremonyProposal.objects.exists()


def test_what_is_no_signature_over_the_file_is_said_at_the_field(
    world: Any, people: list[Person], file: Path, tmp_path: Path
) -> None:
    client = client_of(operator(world))
    address = proposed(client, file)
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text() + "\n")
    signed = people[0].sign(file).read_bytes()
    for content, status, message in (
        (b"", 422, "Filen är tom."),
        (b"hej", 422, "Godkännandet som du lämnade: signaturen går inte att läsa som CMS"),
        (people[0].sign(other).read_bytes(), 422, "signaturen gäller ett annat dokument"),
        (people[0].key.read_bytes(), 422, "Godkännandet som du lämnade:"),
        (b"x" * 5_000_000, 422, "signaturen är för stor"),
    ):
        answer = client.post(f"{address}underskrift/", upload("a.p7s", content))
        assert answer.status_code == status
        assert message in text_of(answer)
        assert "PRIVATE KEY" not in answer.content.decode()
    with override_settings(UPLOADS_PER_MINUTE_BY_PERSON=0):
        answer = client.post(f"{address}underskrift/", upload("a.p7s", signed))
        assert (answer.status_code, int(answer["Retry-After"]) > 0) == (429, True)
    assert not CeremonySignature.objects.exists()
    assert client.post(f"{address}underskrift/", upload("a.p7s", signed)).status_code == 302
    again = client.post(f"{address}underskrift/", upload("a.p7s", signed))
    assert again.status_code == 409
    assert "Ada har redan skrivit under." in text_of(again)


def test_a_prepared_ceremony_is_taken_back_after_a_question(world: Any, file: Path) -> None:
    client = client_of(operator(world))
    address = proposed(client, file)
    assert "Vill du ta tillbaka den förberedda ceremonin?" in text_of(client.get(f"{address}ta-tillbaka/"))
    assert CeremonyProposal.objects.filter(withdrawn_at=None).exists()
    done = client.post(f"{address}ta-tillbaka/", follow=True)
    assert done.redirect_chain == [(LIST, 302)]
    assert "Ingen ceremoni är förberedd" in text_of(done)
    page = client.get(address)
    assert "Återtagen" in text_of(page)
    assert f"{address}underskrift/" not in page.content.decode()
    for act in ("underskrift/", "ta-tillbaka/"):
        assert client.get(address + act)["Location"] == address
    assert client.post(f"{address}ta-tillbaka/").status_code == 409


def test_one_that_cannot_be_followed_any_more_says_why(world: Any, people: list[Person], tmp_path: Path) -> None:
    file = tmp_path / "state.yaml"
    act = "acts:\n- {act: state, ca: function, generation: 1, to: status_only, justification: Prov}\n"
    file.write_text(ceremony_file(people, act))
    client = client_of(operator(world))
    address = proposed(client, file)
    for each in people[:2]:
        client.post(f"{address}underskrift/", upload("a.p7s", each.sign(file).read_bytes()))
    assert "Klar att genomföra" in text_of(client.get(address))
    from pki.models import CertificateAuthority

    CertificateAuthority.objects.filter(slug="function").update(state="compromised")
    text = text_of(client.get(address))
    assert "Filen går inte att följa som det är nu." in text
    assert "Klar att genomföra" not in text


def test_the_demos_ceremony_with_its_protocol(world: Any) -> None:
    client, record = client_of(operator(world)), KeyCeremony.objects.get()
    assert f'href="/pki/ceremonier/{record.id}/"' in client.get(LIST).content.decode()
    page = client.get(reverse("pki_ceremony", args=[record.id]))
    text = text_of(page)
    for expected in (
        record.title, "Genomförd", "Klart: Arkiverad", record.file_sha256, record.transcript_sha256, "Skrev under", "Deltog inte",
        "Ceremonin avslutades; protokollet skrevs", "Utfärdare (8)", "OCSP-svarare", "Spärrlista", "minst 2 krävdes.",
        *(each["name"] for each in record.participants), *(each["sha256"] for each in record.outputs[:3]),
    ):  # fmt: skip
        assert expected in text, expected
    assert "Det som återstår" not in text
    document = client.get(reverse("pki_ceremony_protocol", args=[record.id]))
    assert hashlib.sha256(document.content).hexdigest() == record.transcript_sha256
    assert json.loads(document.content)["file_sha256"] == record.file_sha256
    assert document["Content-Type"] == "application/json"
    readable = client.get(reverse("pki_ceremony_protocol_text", args=[record.id]))
    assert readable.content.decode().startswith(f"PROTOKOLL: {record.title}\n")
    assert readable["Content-Disposition"].endswith('-transcript.txt"')
    saved = client.get(reverse("pki_ceremony_file", args=[record.id]))
    assert hashlib.sha256(saved.content).hexdigest() == record.file_sha256


def test_one_that_was_cut_off_says_what_is_left(world: Any, file: Path) -> None:
    client, row = client_of(operator(world)), failed(file)
    text = text_of(client.get(reverse("pki_ceremony", args=[row.id])))
    for expected in (
        "Avbruten av ett fel", "HsmUnavailable", "Det som återstår", "Publicera ny spärrlista och nya OCSP-svar för root",
        "Stopp: Genomförd", "Följ samma fil igen",
    ):  # fmt: skip
        assert expected in text, expected
    assert client.get(reverse("pki_ceremony_protocol", args=[row.id])).status_code == 404
    KeyCeremony.objects.filter(pk=row.pk).update(state="running", failure="")
    assert "Pågår" in text_of(client.get(LIST))


def test_a_proposal_that_is_followed_leads_to_the_ceremony(world: Any, file: Path) -> None:
    client = client_of(operator(world))
    address = proposed(client, file)
    row = failed(file)
    assert client.get(address)["Location"] == reverse("pki_ceremony", args=[row.id])
    late = client.post(f"{address}underskrift/", upload("a.p7s", b"x"))
    assert late.status_code == 409
    assert "Ceremonin är genomförd eller återtagen." in text_of(late)
    assert not CeremonySignature.objects.exists()
    assert "Filen laddades upp för underskrift" in text_of(client.get(reverse("pki_ceremony", args=[row.id])))


def test_the_list_goes_on_page_by_page(world: Any, people: list[Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from issuance.operators.web.lists import CeremonyList

    monkeypatch.setattr(CeremonyList, "page_size", 2)
    file = tmp_path / "many.yaml"
    for number in range(4):
        file.write_text(ceremony_file(people, DONE) + f"# {number}\n")
        failed(file)
    client, address, seen = client_of(operator(world)), LIST, []
    for _ in range(4):
        page = client.get(address)
        seen += [each["view"].id for each in page.context["list"].lines]
        address = page.context["list"].next_url
        if not address:
            break
    assert len(seen) == len(set(seen)) == 5


def test_acts_demand_a_log_in_of_now(world: Any, file: Path) -> None:
    client = client_of(operator(world))
    address = proposed(client, file)
    with clock.moved_to(clock.now() + dt.timedelta(minutes=10)):
        for answer in (client.get(PROPOSE), client.post(PROPOSE, upload("a", b"a")), client.get(f"{address}underskrift/")):
            assert answer.status_code == 302
            assert answer["Location"].startswith("/logga-in/?next=")


@pytest.mark.parametrize(
    "name",
    [
        "pki_ceremony", "pki_ceremony_protocol", "pki_ceremony_protocol_text", "pki_ceremony_file", "pki_proposal",
        "pki_proposal_sign", "pki_proposal_withdraw", "pki_proposal_file",
    ],
)  # fmt: skip
def test_one_that_is_not_there_is_404(world: Any, name: str) -> None:
    assert client_of(operator(world)).get(reverse(name, args=[uuid.uuid4()])).status_code == 404


def test_the_pages_cost_the_same_however_much_there_is(world: Any, people: list[Person], file: Path, tmp_path: Path) -> None:
    client = client_of(operator(world))
    address, record = proposed(client, file), KeyCeremony.objects.get()
    measured = {LIST: 10, address: 16, reverse("pki_ceremony", args=[record.id]): 12}

    def costs() -> dict[str, int]:
        found = {}
        for each in measured:
            client.get(each)
            with CaptureQueriesContext(connection) as queries:
                client.get(each)
            found[each] = len(queries)
        return found

    (proposal,) = CeremonyProposal.objects.values_list("id", flat=True)
    first, *others = people
    proposals.register_signature(proposal, first.sign(file).read_bytes(), actor_ref=operator(world, first.name).ref)
    few = costs()
    for each in others:
        proposals.register_signature(proposal, each.sign(file).read_bytes(), actor_ref=operator(world, each.name).ref)
    other = tmp_path / "other.yaml"
    for number in range(3):
        other.write_text(ceremony_file(people, DONE) + f"# {number}\n")
        proposed(client, other)
    assert costs() == few
    assert all(few[each] <= most for each, most in measured.items()), few
