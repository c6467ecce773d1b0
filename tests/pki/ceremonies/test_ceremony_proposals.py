"""Ceremonies that are prepared in the portal: the file, its approvers' signatures, and the command that finds them."""

import datetime as dt
import uuid
from pathlib import Path

import pytest
from cryptography import x509
from django.core.management import call_command
from django.db import DatabaseError, transaction

from pki.ceremonies import execution, proposals, signatures
from pki.domain.ceremony_file import parse
from pki.models import Approval, CeremonyProposal, CeremonySignature, Event, KeyCeremony
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid, NotFound
from tests.pki.ceremony_people import Person, ceremony_file, issued, person, three, written

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = "user:operator"


@pytest.fixture
def people(tmp_path: Path) -> list[Person]:
    return three(tmp_path)


@pytest.fixture
def file(people: list[Person], tmp_path: Path) -> Path:
    return written(people, tmp_path)


@pytest.fixture
def proposed(file: Path) -> uuid.UUID:
    return proposals.propose(file.read_bytes(), actor_ref=ACTOR)


def test_a_file_is_proposed_once(file: Path, proposed: uuid.UUID) -> None:
    assert proposals.propose(file.read_bytes(), actor_ref="user:another") == proposed
    (listed,) = proposals.open_proposals()
    assert (listed.title, listed.required, listed.given, listed.proposed_by_ref) == ("Prov", 2, 0, ACTOR)
    found = proposals.proposal(proposed)
    assert found.file_text == file.read_text()
    assert [each.name for each in found.approvers] == ["Ada", "Bo", "Cleo"]
    assert (found.missing, found.is_open, found.obstacle) == (2, True, "")
    assert "skriv protokoll" in found.intentions
    event = Event.objects.get(action="ceremony.proposed")
    assert (event.actor_ref, event.subject_ref) == (ACTOR, listed.file_sha256)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ska vara en tabell"),
        (b"\xff\xfe", "inte UTF-8"),
        (b"a: [", "inte YAML"),
        (b"[" * 20_000, "inte YAML"),
        (b"a: 2025-13-45\n", "inte YAML"),
        (b"a: 1\na: 2\n", "två gånger"),
        (b"ceremony: x\n", "saknas"),
        (b"x" * 200_001, "för stor"),
    ],
    ids=["nothing", "not-utf8", "not-yaml", "deep", "no-such-day", "twice", "short", "large"],
)
def test_a_file_that_cannot_be_followed_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        proposals.propose(content, actor_ref=ACTOR)
    assert message in refused.value.message
    assert list(refused.value.fields) == ["file"]
    assert not CeremonyProposal.objects.exists()


def test_certificates_must_stand_in_the_file(people: list[Person]) -> None:
    """A file's path is read by who has the ceremonies' folder, not by whoever reaches a page."""
    text = ceremony_file(people)
    first = text.index("      certificate: |")
    end = text.index("    - name: Bo")
    other = f"{text[:first]}      certificate_file: /etc/hostname\n      certificate_sha256: {'0' * 64}\n{text[end:]}"
    with pytest.raises(Invalid, match="ceremony-file"):
        proposals.propose(other.encode(), actor_ref=ACTOR)
    assert not CeremonyProposal.objects.exists()


def test_signatures_are_checked_counted_and_noted(people: list[Person], file: Path, proposed: uuid.UUID) -> None:
    ada, bo, _cleo = people
    assert proposals.register_signature(proposed, ada.sign(file).read_bytes(), actor_ref=ACTOR) == "Ada"
    assert proposals.register_signature(proposed, bo.sign(file, form="PEM").read_bytes(), actor_ref=ACTOR) == "Bo"
    found = proposals.proposal(proposed)
    assert (found.missing, found.view.given) == (0, 2)
    assert [each.counts for each in found.approvers] == [True, True, False]
    with pytest.raises(Conflict, match="ceremony-signed"):
        proposals.register_signature(proposed, ada.sign(file).read_bytes(), actor_ref=ACTOR)
    assert Event.objects.filter(action="ceremony.signature_registered", actor_ref=ACTOR).count() == 2


def test_what_is_no_approvers_signature_over_the_file_is_refused(
    people: list[Person], file: Path, proposed: uuid.UUID, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text() + "# ändrad\n")
    stranger = person("Mallory", tmp_path)
    of_another_file, of_a_stranger = people[0].sign(other).read_bytes(), stranger.sign(file).read_bytes()
    for content in (of_another_file, of_a_stranger, b"", b"x" * 150_000, people[0].key.read_bytes()):
        with pytest.raises(Invalid, match="ceremony-approval") as refused:
            proposals.register_signature(proposed, content, actor_ref=ACTOR)
        assert refused.value.message.startswith("Godkännandet som du lämnade:")
    assert not CeremonySignature.objects.exists()


def test_what_has_become_too_old_does_not_count(people: list[Person], file: Path, proposed: uuid.UUID) -> None:
    proposals.register_signature(proposed, people[0].sign(file).read_bytes(), actor_ref=ACTOR)
    with clock.moved_to(clock.now() + dt.timedelta(days=31)):
        found = proposals.proposal(proposed)
        (listed,) = proposals.open_proposals()
    assert (found.missing, found.view.faulty, listed) == (2, 1, found.view)
    assert {each.fault for each in found.approvers} == {"godkännarens certifikat gäller inte nu"}


def test_a_signature_grows_too_old(tmp_path: Path) -> None:
    people = [person(name, tmp_path, until=dt.timedelta(days=90)) for name in ("Ada", "Bo")]
    file = written(people, tmp_path)
    made = proposals.propose(file.read_bytes(), actor_ref=ACTOR)
    proposals.register_signature(made, people[0].sign(file).read_bytes(), actor_ref=ACTOR)
    with clock.moved_to(clock.now() + dt.timedelta(days=31)):
        found = proposals.proposal(made)
    assert [each.fault for each in found.approvers] == ["underskriften är äldre än 30 dagar", ""]
    assert (found.missing, found.view.faulty) == (2, 1)


def test_enough_signatures_are_not_ready_while_one_more_does_not_hold(tmp_path: Path) -> None:
    """As the command has it: a signature that does not hold refuses all."""
    people = [person(name, tmp_path, until=dt.timedelta(days=days)) for name, days in (("Ada", 2), ("Bo", 9), ("Cleo", 9))]
    file = written(people, tmp_path)
    made = proposals.propose(file.read_bytes(), actor_ref=ACTOR)
    given = {each.name: each.sign(file).read_bytes() for each in people}
    for content in given.values():
        proposals.register_signature(made, content, actor_ref=ACTOR)
    assert proposals.proposal(made).ready
    with clock.moved_to(clock.now() + dt.timedelta(days=3)):
        found = proposals.proposal(made)
        assert (found.missing, found.view.faulty, found.ready) == (0, 1, False)
        with pytest.raises(Invalid, match="ceremony-approval"):
            signatures.check(parse(file.read_bytes()), given)


def test_an_approver_whose_certificate_is_revoked_does_not_count(small_pki: None, people: list[Person], tmp_path: Path) -> None:
    dag = issued("Dag", tmp_path)
    file = written([people[0], dag], tmp_path, "acts:\n- {act: renew-status, ca: root, generation: 1}\n")
    made = proposals.propose(file.read_bytes(), actor_ref=ACTOR)
    for each in (people[0], dag):
        proposals.register_signature(made, each.sign(file).read_bytes(), actor_ref=ACTOR)
    assert proposals.proposal(made).ready
    serial = x509.load_pem_x509_certificate(dag.pem.encode()).serial_number
    call_command("pki_revoke", ca="function", serial=serial, reason="superseded")
    found = proposals.proposal(made)
    (listed,) = proposals.open_proposals()
    assert [each.fault for each in found.approvers] == ["", "godkännarens certifikat är spärrat"]
    assert (found.missing, found.ready, listed.faulty) == (1, False, 1)


def test_the_command_finds_what_was_registered_beside_what_lies_in_the_folder(
    people: list[Person], file: Path, proposed: uuid.UUID, own_tokens: None
) -> None:
    plan = parse(file.read_bytes())
    ada = people[0].sign(file).read_bytes()
    proposals.register_signature(proposed, ada, actor_ref=ACTOR)
    with pytest.raises(Conflict, match="ceremony-not-approved"):
        execution.perform(plan)
    folder = signatures.folder(plan)
    folder.mkdir(parents=True)
    (folder / "ada.p7s").write_bytes(ada)  # the same again counts once
    (folder / "bo.p7s").write_bytes(people[1].sign(file).read_bytes())
    assert execution.perform(plan).changed
    assert Approval.objects.filter(signature__isnull=False).count() == 2
    record = KeyCeremony.objects.get()
    found = proposals.proposal(proposed)
    assert (found.ceremony_id, found.is_open) == (record.id, False)
    assert proposals.open_proposals() == []
    with pytest.raises(Conflict, match="ceremony-closed"):
        proposals.register_signature(proposed, people[2].sign(file).read_bytes(), actor_ref=ACTOR)
    with pytest.raises(Conflict, match="ceremony-followed"):
        proposals.propose(file.read_bytes(), actor_ref=ACTOR)
    with pytest.raises(Conflict, match="ceremony-closed"):
        proposals.withdraw_proposal(proposed, actor_ref=ACTOR)


def test_what_was_withdrawn_is_not_used_and_may_come_again(people: list[Person], file: Path, proposed: uuid.UUID) -> None:
    proposals.register_signature(proposed, people[0].sign(file).read_bytes(), actor_ref=ACTOR)
    proposals.withdraw_proposal(proposed, actor_ref="user:another")
    assert proposals.open_proposals() == []
    assert signatures.stored(parse(file.read_bytes())) == {}
    with pytest.raises(Conflict, match="ceremony-closed"):
        proposals.register_signature(proposed, people[1].sign(file).read_bytes(), actor_ref=ACTOR)
    again = proposals.propose(file.read_bytes(), actor_ref=ACTOR)
    assert again != proposed
    assert proposals.proposal(again).view.given == 0
    assert Event.objects.filter(action="ceremony.proposal_withdrawn", actor_ref="user:another").count() == 1


def test_the_database_keeps_what_was_proposed_and_signed(people: list[Person], file: Path, proposed: uuid.UUID) -> None:
    proposals.register_signature(proposed, people[0].sign(file).read_bytes(), actor_ref=ACTOR)
    row = CeremonyProposal.objects.filter(id=proposed)
    for change in (
        lambda: row.update(file_text="x"),
        lambda: row.update(title="x"),
        lambda: row.update(file_sha256="0" * 64),
        lambda: CeremonySignature.objects.update(signature=b"x"),
        lambda: CeremonySignature.objects.all().delete(),
        lambda: row.delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert row.get().file_text == file.read_text()
    proposals.withdraw_proposal(proposed, actor_ref=ACTOR)
    with pytest.raises(DatabaseError), transaction.atomic():
        row.update(withdrawn_at=None)


def test_one_that_is_not_there() -> None:
    for act in (
        lambda: proposals.proposal(uuid.uuid4()),
        lambda: proposals.register_signature(uuid.uuid4(), b"x", actor_ref=ACTOR),
        lambda: proposals.withdraw_proposal(uuid.uuid4(), actor_ref=ACTOR),
    ):
        with pytest.raises(NotFound):
            act()
