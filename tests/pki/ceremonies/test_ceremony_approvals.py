"""A ceremony begins with the signatures of enough approvers over its file, by OpenSSL, and with nothing less (rules/pki 7.2,
F10.13)."""

import datetime as dt
import os
import re
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from pki import ceremonies as pki_ceremonies
from pki.approvals import dual_control
from pki.ceremonies import execution, signatures
from pki.ceremonies import queries as ceremonies
from pki.domain.ceremony_file import CeremonyFileError, parse
from pki.hsm.token_keys import SERVICE_KEYS
from pki.models import Approval, ApprovalRequest, Event, HsmKey, KeyCeremony
from pki.operators.approvals import approval
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Invalid, NotFound
from siths_portal.lib.lists import Order
from tests.forking import until_gone
from tests.pki.ceremony_people import DAY, ceremony_file, issued, openssl, person, rsa_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_tokens")]


@pytest.fixture(scope="module")
def bos_key():
    """An RSA key, which takes long to make."""
    return rsa_key()


@pytest.fixture
def people(tmp_path, bos_key):
    """Three approvers, with an EC, an RSA and another EC key."""
    keys = (None, bos_key, ec.generate_private_key(ec.SECP384R1()))
    return [person(name, tmp_path, key=key) for name, key in zip(("Alva", "Bo", "Cia"), keys, strict=True)]


@pytest.fixture
def file(people, tmp_path):
    """A ceremony that two of them must approve."""
    path = tmp_path / "prov.yaml"
    path.write_text(ceremony_file(people))
    return path


def perform(file, *approvals_):
    call_command("pki_ceremony", str(file), approval=list(approvals_))


def nothing_happened() -> bool:
    return not any(model.objects.exists() for model in (KeyCeremony, ApprovalRequest, Approval, HsmKey, Event))


def test_two_of_three_signatures_by_openssl_are_enough_and_are_kept(file, people, tmp_path):
    alva, bo, _cia = people
    perform(file, alva.sign(file), bo.sign(file, form="PEM"))
    row = KeyCeremony.objects.select_related("approval").get()
    assert (row.state, row.file_text, row.file_sha256) == ("finished", file.read_text(), sha256_hex(file.read_bytes()))
    assert row.participants == [{"role": "Ceremoniledare", "name": "Kim"}, {"role": "Vittne", "name": "Lo"}]
    request = row.approval
    assert (request.action, request.state, request.requester_ref) == ("ceremony", "used", "participant:kim")
    assert (request.document["file_sha256"], request.document["required"]) == (row.file_sha256, 2)
    assert dual_control.approver_refs(request) == ["participant:alva", "participant:bo"]
    # A stranger can check what is kept: the signature, with the certificate that stands in the file.
    (kept, ca) = (tmp_path / "kept.p7s", tmp_path / "all.pem")
    ca.write_text(alva.pem + bo.pem)
    for each in request.approvals.all():
        kept.write_bytes(bytes(each.signature))
        given = ("-inform", "DER", "-in", kept, "-content", file)
        openssl("cms", "-verify", "-binary", *given, "-CAfile", ca, "-purpose", "any", "-out", "/dev/null")
        assert x509.load_der_x509_certificate(bytes(each.certificate_der)).subject.rfc4514_string() in ("CN=Alva", "CN=Bo")
    told = Event.objects.exclude(action="key.generated").order_by("id").values_list("action", "actor_ref")
    who = f"ceremony:{row.file_sha256[:16]}"
    assert list(told) == [
        ("approval.requested", "participant:kim"),
        ("approval.approved", "participant:alva"),
        ("approval.approved", "participant:bo"),
        ("approval.used", who),
        ("ceremony.started", who),
        ("ceremony.completed", who),
    ]
    assert HsmKey.objects.count() == len(SERVICE_KEYS)


def test_more_than_enough_are_all_kept(file, people):
    perform(file, *(each.sign(file) for each in people))
    assert Approval.objects.count() == 3


def test_the_approvals_that_lie_ready_are_found(file, people):
    folder = settings.PKI_CEREMONY_DIR / "approvals" / sha256_hex(file.read_bytes())
    folder.mkdir(parents=True)
    for each in people[:2]:
        each.sign(file).rename(folder / f"{each.name}.p7s")
    call_command("pki_ceremony", str(file))
    assert KeyCeremony.objects.get().state == "finished"


def test_the_plan_prints_how_to_approve(file, people, tmp_path, capsys):
    call_command("pki_ceremony", str(file), plan=True)
    told = capsys.readouterr().out
    assert sha256_hex(file.read_bytes()) in told
    assert "minst 2 av dessa" in told
    assert nothing_happened()
    (line,) = re.findall(r"^ +(openssl cms .*)$", told, re.M)
    for each in people[1:]:
        command = line.replace("CERTIFIKAT.pem", str(each.certificate)).replace("NYCKEL.pem", str(each.key))
        command = command.replace("NAMN.p7s", str(tmp_path / each.name))
        subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True)
    perform(file, *(tmp_path / each.name for each in people[1:]))
    assert dual_control.approver_refs(ApprovalRequest.objects.get()) == ["participant:bo", "participant:cia"]


def test_a_file_is_followed_once(file, people, capsys):
    given = [each.sign(file) for each in people[:2]]
    perform(file, *given)
    HsmKey.objects.update(retired_at=clock.now())  # what the file wants is not there any more
    perform(file, *given)
    assert "inget är ändrat" in capsys.readouterr().out
    assert (KeyCeremony.objects.count(), ApprovalRequest.objects.count()) == (1, 1)
    assert HsmKey.objects.count() == len(SERVICE_KEYS)


class TestRefused:
    """What is no approval. Nothing is recorded and no key is made."""

    def check(self, match, file, *given):
        with pytest.raises(CommandError, match=match) as refused:
            perform(file, *given)
        assert refused.value.returncode == 1
        assert "\n" not in str(refused.value)
        assert nothing_happened()

    def test_too_few(self, file, people):
        self.check("kräver 2 godkännanden och har 1", file, people[0].sign(file))
        self.check("kräver 2 godkännanden och har 0", file)

    def test_one_person_twice(self, file, people):
        alva = people[0]
        self.check("samma person", file, alva.sign(file), alva.sign(file, out="again.p7s"))

    def test_the_requester_and_a_stranger(self, file, people, tmp_path):
        for name in ("Kim", "Mo"):
            other = person(name, tmp_path)
            self.check("inte en av filens godkännare", file, people[0].sign(file), other.sign(file))

    def test_another_document(self, file, people, tmp_path):
        other = tmp_path / "other.yaml"
        other.write_text(file.read_text() + "\n")
        self.check("ett annat dokument", file, people[0].sign(file), people[1].sign(other))

    def test_one_wrong_signature_beside_enough_right_ones(self, file, people, tmp_path):
        right = [each.sign(file) for each in people[:2]]
        other = tmp_path / "other.yaml"
        other.write_text("x")
        self.check("ett annat dokument", file, *right, people[2].sign(other))

    @pytest.mark.parametrize(("since", "until"), [(-9 * DAY, -DAY), (DAY, 9 * DAY)])
    def test_a_certificate_that_is_not_valid_now(self, people, tmp_path, since, until):
        other = person("Dag", tmp_path, since=since, until=until)
        file = tmp_path / "file.yaml"
        file.write_text(ceremony_file([people[0], other]))
        self.check("gäller inte nu", file, people[0].sign(file), other.sign(file))

    def test_a_signature_with_another_key_than_the_certificates(self, file, people, tmp_path):
        alva, bo, _cia = people
        forged = bo.sign(file).read_bytes()
        signature = bytearray(forged)
        signature[-5] ^= 1
        (tmp_path / "forged.p7s").write_bytes(bytes(signature))
        self.check("stämmer inte med godkännarens nyckel", file, alva.sign(file), tmp_path / "forged.p7s")

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            (("-nodetach",), "bär ett eget dokument"),
            (("-noattr",), "utan -noattr"),
            (("-md", "sha1"), "för svag"),
        ],
    )
    def test_other_kinds_of_signature(self, file, people, options, match):
        self.check(match, file, people[0].sign(file), people[1].sign(file, *options))

    @pytest.mark.parametrize("content", [b"", b"0", b"\x30\x80", b"-----BEGIN CMS-----\n!!\n-----END CMS-----\n", bytes(200_000)])
    def test_no_signature_at_all(self, file, people, tmp_path, content):
        (tmp_path / "none.p7s").write_bytes(content)
        self.check("none.p7s: ", file, people[0].sign(file), tmp_path / "none.p7s")

    @pytest.mark.parametrize("octet", [10, 22], ids=["mask", "hash"])
    def test_a_signature_in_a_way_that_nobody_knows(self, file, people, tmp_path, octet):
        """PSS whose mask is made by another function than there is, or with another hash."""
        alva, bo, _cia = people
        signature = bytearray(bo.sign(file, "-keyopt", "rsa_padding_mode:pss").read_bytes())
        masked = bytes.fromhex("06092a864886f70d010108")  # id-mgf1, with the AlgorithmIdentifier of its hash behind it
        signature[signature.index(masked) + octet] ^= 0x40
        (tmp_path / "strange.p7s").write_bytes(signature)
        self.check("strange.p7s: ", file, alva.sign(file), tmp_path / "strange.p7s")

    def test_two_persons_in_one_signature(self, file, people, tmp_path):
        alva, bo, _cia = people
        both = alva.sign(file, "-signer", str(bo.certificate), "-inkey", str(bo.key))
        self.check("en persons", file, both)

    @pytest.mark.parametrize(("moved", "match"), [(31 * DAY, "äldre än 30 dagar"), (-dt.timedelta(minutes=6), "i framtiden")])
    def test_a_signature_of_another_time(self, people, tmp_path, moved, match):
        two = [person(each.name, tmp_path, until=90 * DAY) for each in people[:2]]
        file = tmp_path / "file.yaml"
        file.write_text(ceremony_file(two))
        given = [each.sign(file) for each in two]
        with clock.moved_to(clock.now() + moved):
            self.check(match, file, *given)

    def test_a_missing_file_is_wrong_use(self, file, tmp_path):
        with pytest.raises(CommandError, match="går inte att läsa") as refused:
            perform(file, tmp_path / "missing.p7s")
        assert refused.value.returncode == 2


def test_a_certificate_of_ours_approves_until_it_is_revoked(small_pki, people, tmp_path):
    approver = issued("Dag", tmp_path)
    file = tmp_path / "file.yaml"
    file.write_text(ceremony_file([people[0], approver]))
    given = {each.name: each.sign(file).read_bytes() for each in (people[0], approver)}
    assert len(signatures.check(parse(file.read_bytes()), given)) == 2
    serial = x509.load_pem_x509_certificate(approver.pem.encode()).serial_number
    call_command("pki_revoke", ca="function", serial=serial, reason="superseded")
    with pytest.raises(Invalid) as refused:
        signatures.check(parse(file.read_bytes()), given)
    assert "är spärrat" in refused.value.message


class TestFile:
    """Files whose approval could not be trusted are refused before anything is looked at."""

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"required": 1}, "minst 2"),
            ({"required": 4}, "högst antalet"),
            ({"requester": "Alva"}, "en av deltagarna"),
            ({"requester": "Okänd"}, "en av deltagarna"),
        ],
    )
    def test_who_must_approve(self, people, change, match):
        with pytest.raises(CeremonyFileError, match=match):
            parse(ceremony_file(people, **change).encode())

    def test_the_requester_is_no_approver_by_whatever_spelling(self, people, tmp_path):
        text = ceremony_file([*people, person("kIM ", tmp_path)])
        with pytest.raises(CeremonyFileError, match="kan inte godkänna"):
            parse(text.encode())

    def test_one_person_is_one_approver(self, people, tmp_path):
        with pytest.raises(CeremonyFileError, match="samma person två gånger"):
            parse(ceremony_file([*people, person("ALVA", tmp_path)]).encode())

    def test_one_key_is_one_person(self, people, tmp_path):
        key = ec.generate_private_key(ec.SECP256R1())
        twins = [person(name, tmp_path, key=key) for name in ("Dag", "Eli")]
        with pytest.raises(Invalid, match="ceremony-approvers"):
            execution.perform(parse(ceremony_file([people[0], *twins]).encode()), approvals={})

    @pytest.mark.parametrize("key", [rsa_key(1024), ec.generate_private_key(ec.SECP224R1())])
    def test_weak_keys_sign_nothing(self, people, tmp_path, key):
        with pytest.raises(Invalid) as refused:
            execution.perform(parse(ceremony_file([*people, person("Dag", tmp_path, key=key)]).encode()), approvals={})
        assert "för svag" in refused.value.message

    def test_certificates_for_something_else_sign_nothing(self, people, tmp_path):
        usage = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
        with pytest.raises(Invalid) as refused:
            execution.perform(parse(ceremony_file([*people, person("Dag", tmp_path, usage=usage)]).encode()), approvals={})
        assert "inte för underskrift" in refused.value.message

    def test_a_certificate_elsewhere_must_be_the_files_own(self, people, tmp_path):
        alva, bo, _cia = people
        text = ceremony_file([alva, bo])
        inline = text[text.index("    - name: Bo") : text.index("secret_keys")]
        unpinned = text.replace(inline, f"    - {{name: Bo, certificate_file: {bo.certificate}}}\n")
        with pytest.raises(CeremonyFileError, match="certificate_sha256 saknas"):
            parse(unpinned.encode())
        der = x509.load_pem_x509_certificate(bo.pem.encode()).public_bytes(Encoding.DER)
        pinned = unpinned.replace(f"{bo.certificate}", f"{bo.certificate}, certificate_sha256: {sha256_hex(der)}")
        file = tmp_path / "pinned.yaml"
        file.write_text(pinned)
        given = [alva.sign(file), bo.sign(file)]
        person("Bo", tmp_path)  # another certificate in its place
        with pytest.raises(CommandError, match="ett annat än det som filen anger"):
            perform(file, *given)
        assert nothing_happened()

    def test_keys_that_stand_twice(self, people):
        with pytest.raises(CeremonyFileError, match="required står två gånger"):
            parse(ceremony_file(people).replace("  required: 2\n", "  required: 3\n  required: 2\n").encode())


class TestCut:
    """Once begun, a ceremony is finished with the approvals that it began with."""

    def cut(self, file, point, tmp_path, *given):
        armed = tmp_path / "armed"
        armed.mkdir(exist_ok=True)
        (armed / point).touch()
        command = [sys.executable, "manage.py", "pki_ceremony", str(file)]
        command += [word for each in given for word in ("--approval", str(each))]
        environment = os.environ | {"SITHS_FAULT_DIR": str(armed), "PGAPPNAME": "cut"}
        died = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, check=False)
        assert died.returncode == -9, died.stderr
        until_gone("cut")  # till then another ceremony goes on

    @pytest.mark.parametrize("point", ["pki.ceremony.after-begin", "pki.key.before-commit"])
    def test_it_goes_on_without_new_ones(self, file, people, tmp_path, point, tally):
        self.cut(file, point, tmp_path, *(each.sign(file) for each in people[:2]))
        assert KeyCeremony.objects.get().state == "running"
        call_command("pki_ceremony", str(file))
        assert KeyCeremony.objects.get().state == "finished"
        assert ApprovalRequest.objects.count() == 1
        tally.run(["finished"], KeyCeremony.objects.values_list("state", flat=True), "ceremonies")

    def test_the_protocols_files_are_written_from_the_database(self, file, people, tmp_path, tally):
        self.cut(file, "pki.ceremony.before-transcript", tmp_path, *(each.sign(file) for each in people[:2]))
        row = KeyCeremony.objects.get()
        assert row.state == "finished"
        assert not list(settings.PKI_CEREMONY_DIR.glob("*-transcript.*"))
        call_command("pki_ceremony", str(file))
        (written,) = settings.PKI_CEREMONY_DIR.glob("*-transcript.json")
        assert written.read_text() == row.transcript
        assert sha256_hex(written.read_bytes()) == row.transcript_sha256
        assert row.transcript_sha256 in written.with_suffix(".txt").read_text()
        tally.run([row.transcript], [written.read_text()], "transcripts")

    def test_not_when_they_have_become_too_old(self, file, people, tmp_path):
        self.cut(file, "pki.ceremony.after-begin", tmp_path, *(each.sign(file) for each in people[:2]))
        with clock.moved_to(clock.now() + dual_control.LIFETIME + DAY), pytest.raises(CommandError, match="har gått ut"):
            call_command("pki_ceremony", str(file))
        assert not HsmKey.objects.exists()

    def test_what_fails_says_so_and_is_taken_up_again(self, file, people, settings):
        label, settings.PKCS11_TOKEN = settings.PKCS11_TOKEN, "no-such-token"
        with pytest.raises(CommandError, match="HSM"):
            perform(file, *(each.sign(file) for each in people[:2]))
        row = KeyCeremony.objects.get()
        assert (row.state, row.failure) == ("failed", "HsmUnavailable")
        settings.PKCS11_TOKEN = label
        call_command("pki_ceremony", str(file))
        row.refresh_from_db()
        assert (row.state, row.failure) == ("finished", "")
        told = Event.objects.filter(subject_type="ceremony").order_by("id").values_list("action", flat=True)
        assert list(told) == ["ceremony.started", "ceremony.failed", "ceremony.resumed", "ceremony.completed"]


def test_the_database_keeps_what_was_approved_and_done(file, people):
    perform(file, *(each.sign(file) for each in people[:2]))
    for statement in (
        "UPDATE pki_keyceremony SET file_text = 'x'",
        "UPDATE pki_keyceremony SET participants = '[]'",
        "UPDATE pki_keyceremony SET state = 'running', finished_at = NULL, transcript_sha256 = ''",
        "UPDATE pki_keyceremony SET transcript = 'x'",
        "DELETE FROM pki_keyceremony",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_others_see_ceremonies_by_the_door(file, people):
    perform(file, *(each.sign(file) for each in people[:2]))
    (view,) = pki_ceremonies.ceremonies().every(Order(""), ())
    whole = pki_ceremonies.ceremony(view.id)
    assert (whole.view, view.state, view.title) == (view, "finished", "Prov")
    assert whole.file_text == file.read_text()
    assert sha256_hex(whole.transcript.encode()) == view.transcript_sha256
    assert {each.kind for each in whole.outputs} == {"key"}
    assert approval(whole.approval_id).state == "used"
    with pytest.raises(NotFound):
        ceremonies.ceremony(whole.approval_id)
