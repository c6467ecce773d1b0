"""Later ceremonies: the root's token away and back, its status renewed, a CA revoked, a new generation, EC and RSA issuers."""

import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as x509_ocsp
from django.conf import settings
from django.core.management import CommandError, call_command

from pki import approvals, service
from pki.authorities import ca_states
from pki.ceremonies import execution, transcript
from pki.ceremonies.steps import certificate_of
from pki.crl import building
from pki.domain import serials
from pki.domain.ceremony_file import parse
from pki.domain.ocsp_request import CertId
from pki.hsm import HsmError, hsm_for
from pki.issuing import pkilint, responders, signing
from pki.models import ApprovalAction, ApprovalRequest, CertificateAuthority, Crl, Decision, Event, KeyCeremony, OcspSigner
from pki.ocsp import presigning, status
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, IllegalTransition, Invalid, NotFound
from tests.forking import forked
from tests.pki.ceremony_people import ceremony_file, issued, openssl, person
from tests.pki.conftest import small_file
from tests.pki_fixtures import approved

NEXT_FUNCTION = """organization: Demo e-legitimationer AB
country: SE
authorities:
  - slug: function
    generation: 2
    common_name: DEMO SITHS e-id Function CA v2
    parent: root
    token: issuing
    key: {key}
    not_after: 2049-09-15T20:00:00Z
    state: {state}
    crl: {{period: 60m, validity: 48h}}
    ocsp_signer: {signer}
"""
RETIRE = "acts:\n  - {act: state, ca: function, generation: 1, to: retired, justification: Ersatt av nästa generation}\n"
RENEW = "acts:\n  - {act: renew-status, ca: root, generation: 1}\n"


@pytest.fixture
def people(tmp_path):
    """Two approvers."""
    return [person(name, tmp_path) for name in ("Alva", "Bo")]


@pytest.fixture
def follow(people, tmp_path):
    """Follows a ceremony file with this content, approved by both."""

    def work(rest: str, name: str = "later.yaml"):
        file = tmp_path / name
        file.write_text(ceremony_file(people, rest))
        given = {each.name: each.sign(file).read_bytes() for each in people}
        return execution.perform(parse(file.read_bytes()), approvals=given)

    return work


def next_function(key="ec-p384", state="active", signer="ec-p256") -> str:
    return NEXT_FUNCTION.format(key=key, state=state, signer=signer)


def authority(slug: str, generation: int = 1) -> CertificateAuthority:
    return CertificateAuthority.objects.select_related("parent").get(slug=slug, generation=generation)


def answer_for(row, hash_name="sha256") -> x509_ocsp.OCSPResponse:
    """What relying parties are told of a certificate."""
    ca = row.ca
    wanted = CertId(hash_name, getattr(ca, f"name_{hash_name}"), getattr(ca, f"key_{hash_name}"), int(row.serial, 16))
    return x509_ocsp.load_der_ocsp_response(status.answer(wanted).der)


class AwayToken:
    """The token's folder, moved out of SoftHSM's reach and back."""

    def __init__(self, label: str, place: Path) -> None:
        conf = Path(os.environ["SOFTHSM2_CONF"]).read_text()
        tokens = Path(next(line.split("=")[1].strip() for line in conf.splitlines() if line.startswith("directories.tokendir")))
        (self.home,) = (each.parent for each in tokens.glob("*/token.object") if label.encode() in each.read_bytes())
        self.place = place / self.home.name

    def take(self) -> None:
        shutil.move(self.home, self.place)

    def bring(self) -> None:
        shutil.move(self.place, self.home)


@pytest.fixture
def root_token(own_tokens, tmp_path):
    """The root's token, which the test may take away."""
    token = AwayToken(settings.PKCS11_ROOT_TOKEN, tmp_path)
    yield token
    if token.place.exists():
        token.bring()


def files(ca: CertificateAuthority, folder: Path) -> dict[str, Path]:
    """The CA's chain and list, and its root's list, as OpenSSL wants them."""
    root = ca.parent
    found = {name: folder / f"{name}-{ca.file_stem}.pem" for name in ("root", "ca", "crls")}
    found["root"].write_text(pem(bytes(root.certificate_der)))
    found["ca"].write_text(pem(bytes(ca.certificate_der)))
    lists = [x509.load_der_x509_crl(building.crl_path(each).read_bytes()) for each in (ca, root)]
    found["crls"].write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in lists))
    return found


def pem(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def verified(certificate: Path, ca: CertificateAuthority, folder: Path) -> str:
    """What `openssl verify` says with both lists checked; asserts that it holds."""
    given = files(ca, folder)
    trust = ("-CAfile", given["root"], "-untrusted", given["ca"], "-CRLfile", given["crls"])
    return openssl("verify", "-x509_strict", "-crl_check_all", *trust, certificate)


class TestTokenAway:
    """Between ceremonies the root's token is in a safe, and nothing that is online needs it."""

    def test_everything_online_works_and_a_status_ceremony_needs_it_back(self, root_token, small_pki, follow, tmp_path):
        root_token.take()
        with pytest.raises(HsmError):
            hsm_for(settings.PKCS11_ROOT_TOKEN).private_key(authority("root").key_id)
        made = issued("Dag", tmp_path)
        signing.settle()
        presigning.presign_due()
        assert {each.error for each in building.publish_online()} == {""}
        assert "OK" in verified(made.certificate, authority("function"), tmp_path)
        told = answer_for(certificate_of(authority("function")))
        assert told.certificate_status == x509_ocsp.OCSPCertStatus.GOOD
        before = Crl.objects.get(ca__slug="root")
        assert building.crl_path(authority("root")).exists()
        with pytest.raises(HsmError):
            follow(RENEW)
        assert KeyCeremony.objects.get(title="Prov").state == "failed"
        root_token.bring()
        # A process of its own, as at a ceremony: this one waits before it asks a token that has just failed.
        command = [sys.executable, "manage.py", "pki_ceremony", str(tmp_path / "later.yaml")]
        done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert KeyCeremony.objects.get(title="Prov").state == "finished"
        newest = Crl.objects.filter(ca__slug="root").order_by("-number").first()
        assert newest.number > before.number
        again = answer_for(certificate_of(authority("function")))
        assert again.this_update_utc >= told.this_update_utc
        assert again.next_update_utc - again.this_update_utc == dt.timedelta(days=365)
        assert not follow(RENEW).changed

    def test_an_act_that_the_root_does_by_itself_is_refused(self, small_pki, follow):
        with pytest.raises(Conflict) as refused:
            follow("acts:\n  - {act: renew-status, ca: function, generation: 1}\n")
        assert refused.value.code == "ca-not-offline"


class TestRevocation:
    """A CA's certificate is revoked by its root at a ceremony."""

    def test_relying_parties_see_it_and_the_ca_issues_no_more(self, small_pki, follow, tmp_path):
        made = issued("Dag", tmp_path)
        act = "acts:\n  - {act: revoke, ca: function, generation: 1, reason: cACompromise, justification: Nyckeln röjd}\n"
        follow(act)
        ca = authority("function")
        assert ca.state == "compromised"
        told = answer_for(certificate_of(ca))
        assert told.certificate_status == x509_ocsp.OCSPCertStatus.REVOKED
        assert told.revocation_reason == x509.ReasonFlags.ca_compromise
        listed = x509.load_der_x509_crl(building.crl_path(authority("root")).read_bytes())
        assert listed.get_revoked_certificate_by_serial_number(int(certificate_of(ca).serial, 16)) is not None
        with pytest.raises(AssertionError, match="certificate revoked"):
            verified(made.certificate, ca, tmp_path)
        with pytest.raises(CommandError):
            issued("Eli", tmp_path)
        assert not follow(act).changed


class TestRollOver:
    """A new generation takes over; the old one goes on to tell of what it issued."""

    def test_new_certificates_are_the_new_ones_and_old_ones_stay_right(self, small_pki, follow, tmp_path):
        old = issued("Old", tmp_path)
        follow(next_function() + RETIRE)
        first, second = authority("function", 1), authority("function", 2)
        assert (first.state, second.state) == ("retired", "active")
        assert (first.key_id, first.file_stem) != (second.key_id, second.file_stem)
        new = issued("New", tmp_path)
        parsed = {each.name: x509.load_pem_x509_certificate(each.pem.encode()) for each in (old, new)}
        assert parsed["New"].issuer.rfc4514_string().startswith("CN=DEMO SITHS e-id Function CA v2")
        assert parsed["Old"].issuer.rfc4514_string().startswith("CN=DEMO SITHS e-id Function CA v1")
        signing.settle()
        for each, ca in ((old, first), (new, second)):
            assert "OK" in verified(each.certificate, ca, tmp_path)
            assert pkilint.findings(parsed[each.name].public_bytes(Encoding.DER), "function") == []
            assert pkilint.findings(bytes(ca.certificate_der), "issuing-ca") == []
        serial = parsed["Old"].serial_number
        call_command("pki_revoke", ca=first.common_name, serial=serial, reason="superseded")
        presigning.presign_due()
        assert {each.error for each in building.publish_online()} == {""}
        with pytest.raises(AssertionError, match="certificate revoked"):
            verified(old.certificate, first, tmp_path)
        assert "OK" in verified(new.certificate, second, tmp_path)
        for ca, revoked in ((first, True), (second, False)):
            row = ca.certificates.get(serial=serials.text(parsed["Old" if revoked else "New"].serial_number))
            told = answer_for(row)
            assert (told.certificate_status == x509_ocsp.OCSPCertStatus.REVOKED) == revoked
            (view,) = service.certificates([row.id])
            assert service.chain(view.ca, view.generation)[0] == bytes(ca.certificate_der)

    def test_the_retired_ones_line_is_kept_by_its_own_key(self, small_pki, follow, tmp_path):
        follow(next_function() + RETIRE)
        first = authority("function", 1)
        signer = OcspSigner.objects.get(ca=first)
        with clock.moved_to(clock.now() + dt.timedelta(days=20)):
            assert responders.renew_due() >= 1
        newest = OcspSigner.objects.filter(ca=first).order_by("-not_after").first()
        assert newest.not_after > signer.not_after
        certificate = x509.load_der_x509_certificate(bytes(newest.certificate_der))
        certificate.verify_directly_issued_by(x509.load_der_x509_certificate(bytes(first.certificate_der)))

    def test_it_falls_silent_with_a_last_list_when_its_own_certificate_has_ended(self, small_pki, follow):
        follow(next_function() + RETIRE)
        first = authority("function", 1)
        with clock.moved_to(first.not_after + dt.timedelta(seconds=1)):
            assert [(each.ca, each.crl.next_update) for each in building.publish_due()] == [(first, None)]
            assert building.publish_due() == []
        newest = Crl.objects.filter(ca=first).latest("number")
        with clock.moved_to(first.not_after + dt.timedelta(days=2)):
            assert building.publish_crl(first.id) == newest

    @pytest.mark.parametrize(("key", "signer"), [("ec-p384", "ec-p256"), ("rsa-4096", "rsa-2048")])
    def test_issuers_of_either_kind(self, small_pki, follow, tmp_path, key, signer):
        follow(next_function(key, signer=signer))
        second = authority("function", 2)
        public = x509.load_der_x509_certificate(bytes(second.certificate_der)).public_key()
        if key == "ec-p384":
            assert isinstance(public, ec.EllipticCurvePublicKey) and public.key_size == 384  # noqa: PT018
        else:
            assert isinstance(public, rsa.RSAPublicKey) and public.key_size == 4096  # noqa: PT018
        made = issued("Dag", tmp_path)
        signing.settle()
        presigning.presign_due()
        assert "OK" in verified(made.certificate, second, tmp_path)
        row = second.certificates.get(subject_ref="function:dag.example.org")
        assert answer_for(row).certificate_status == x509_ocsp.OCSPCertStatus.GOOD


class TestDualControl:
    """A CA's state changes when another person than the one who asked has approved it."""

    def ask(self, target, generation=1, who="user:1"):
        return ca_states.plan_state_change(
            slug="function", generation=generation, target=target, justification="Byte", requester_ref=who
        )

    def approve(self, asked, who="user:2"):
        approvals.decide(request_id=asked.id, approver_ref=who, decision=Decision.APPROVED, document_sha256=asked.document_sha256)

    def test_asked_for_approved_and_carried_out_once(self, small_pki):
        asked = self.ask("status_only")
        with pytest.raises(Conflict):
            ca_states.carry_out_state_change(request_id=asked.id, actor_ref="user:1")
        with pytest.raises(Forbidden):
            self.approve(asked, "user:1")
        assert authority("function").state == "active"
        self.approve(asked)
        assert ca_states.carry_out_state_change(request_id=asked.id, actor_ref="user:1").state == "status_only"
        with pytest.raises(Conflict):
            ca_states.carry_out_state_change(request_id=asked.id, actor_ref="user:1")
        event = Event.objects.get(action="authority.state_changed")
        assert (event.facts["from"], event.facts["to"], event.facts["approval"]) == ("active", "status_only", str(asked.id))

    def test_what_cannot_be_asked_for(self, small_pki):
        with pytest.raises(IllegalTransition):
            self.ask("planned")
        with pytest.raises(NotFound):
            self.ask("retired", generation=9)
        with pytest.raises(Invalid):
            ca_states.plan_state_change(
                slug="function", generation=1, target="retired", justification=" ", requester_ref="user:1"
            )
        self.ask("retired")
        with pytest.raises(Conflict):
            self.ask("status_only")

    def test_not_when_the_ca_has_changed_meanwhile(self, small_pki):
        asked = self.ask("status_only")
        self.approve(asked)
        CertificateAuthority.objects.filter(slug="function").update(state="retired")
        with pytest.raises(Conflict) as refused:
            ca_states.carry_out_state_change(request_id=asked.id, actor_ref="user:1")
        assert refused.value.code == "ca-state-changed"
        asked.refresh_from_db()
        assert asked.state == "approved"

    def test_a_prepared_generation_is_taken_into_use(self, small_pki, follow, tmp_path):
        follow(next_function(state="planned"))
        issued("Dag", tmp_path)
        assert authority("function", 1).certificates.filter(subject_ref="function:dag.example.org").exists()
        asked = self.ask("active", generation=2)
        self.approve(asked)
        ca_states.carry_out_state_change(request_id=asked.id, actor_ref="user:1")
        issued("Eli", tmp_path)
        assert authority("function", 2).certificates.filter(subject_ref="function:eli.example.org").exists()

    def test_by_command(self, small_pki, capsys):
        call_command("pki_ca_state", "plan", "function", "1", "retired", "--justification", "Byte")
        asked = ApprovalRequest.objects.get(action=ApprovalAction.CA_STATE)
        assert str(asked.id) in capsys.readouterr().out
        with pytest.raises(CommandError, match="krävs godkännande"):
            call_command("pki_ca_state", "carry-out", str(asked.id))
        self.approve(asked)  # whoever ran the command may be the same person
        with pytest.raises(CommandError, match="krävs godkännande av 2 andra"):
            call_command("pki_ca_state", "carry-out", str(asked.id))
        self.approve(asked, "user:3")
        call_command("pki_ca_state", "list")
        assert f"{asked.id} approved" in capsys.readouterr().out
        call_command("pki_ca_state", "carry-out", str(asked.id))
        assert "function 1 är retired; godkänt av user:2, user:3" in capsys.readouterr().out


def test_a_list_that_came_out_before_the_ceremony_is_not_named_though_it_is_of_the_same_second(world):
    """Lists tell whole seconds: the protocol names those whose publication comes after its beginning."""
    second = clock.now().replace(microsecond=0)
    facts = {"ca": world.root, "shard": None, "entries": 0, "size": 1, "sha256": "0" * 64, "file_name": "root.crl"}
    for number, microseconds in ((7, 200_000), (8, 700_000)):
        Crl.objects.create(number=number, this_update=second, next_update=second + dt.timedelta(days=365), **facts)
        Event.objects.create(
            at=second.replace(microsecond=microseconds), actor_ref="system:crl", action="crl.published",
            subject_type="certificate_authority", subject_ref=str(world.root.id), facts={"number": number},
        )  # fmt: skip
    span = transcript.Span(second.replace(microsecond=500_000), second + dt.timedelta(seconds=5))
    written = transcript.describe(parse(small_file()), [world.root], span, {})
    assert [each["number"] for each in written["crls"]] == [8]


def test_a_demo_ceremony_touches_demo_cas_alone(small_pki):
    head, _, _tail = small_file().partition(b"authorities:\n")
    rest = b"acts:\n  - {act: state, ca: function, generation: 1, to: retired, justification: x}\n"
    CertificateAuthority.objects.filter(slug="function").update(common_name="SITHS e-id Function CA v1")
    with pytest.raises(Conflict) as refused:
        execution.perform(approved(head.replace(b"secret_keys: true", b"secret_keys: false") + rest))
    assert refused.value.code == "ca-name-not-demo"


def test_a_ceremony_cut_before_its_act_carries_it_out_once(small_pki, follow, armed, tally):
    act = "acts:\n  - {act: revoke, ca: function, generation: 1, reason: cACompromise, justification: Nyckeln röjd}\n"
    (armed / "pki.ceremony.before-act").touch()
    assert forked(lambda: follow(act), armed) == -signal.SIGKILL
    assert authority("function").state == "active"
    follow(act)
    assert authority("function").state == "compromised"
    assert not follow(act).changed
    events = Event.objects.filter(action="certificate.revoked").values_list("subject_ref", flat=True)
    tally.run([str(certificate_of(authority("function")).id)], events, "revocations")
