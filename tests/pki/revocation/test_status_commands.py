"""The operator's commands for revocation and status."""

import datetime as dt
import io

import pytest
from cryptography import x509
from cryptography.x509 import ocsp as x509_ocsp
from django.core.management import CommandError, call_command

from pki.crl import building
from pki.models import CertificateAuthority, OcspResponse, OcspSigner, Revocation, Secret
from pki.ocsp import presigning
from siths_portal.lib import clock
from tests.pki_fixtures import tampering


def run(name, *arguments):
    """What the command printed, its error line and its exit status."""
    out = io.StringIO()
    try:
        call_command(name, *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error), error.returncode
    return out.getvalue(), "", 0


@pytest.fixture
def working(world, settings):
    """A world in which all is as it should be."""
    settings.PKCS11_TOKEN = world.token.token_label
    world.secret_keys()
    for row in (world.issue(), world.issue(world.second)):
        presigning.presign([row.id])
    run("pki_revoke", "--ca", "function", "--serial", row.serial, "--reason", "superseded")
    presigning.presign_due()
    presigning.presign_all(world.root)
    building.publish_online()
    building.publish_crl(world.root.id)
    return world


@pytest.mark.parametrize("form", [str, str.lower, lambda text: "0" + text, lambda text: ":".join([text[:2], text[2:]])])
def test_pki_revoke(world, form):
    row = world.issue()
    arguments = ["--ca", "person-hsaid-3", "--serial", form(row.serial), "--reason", "keyCompromise"]
    out, _, code = run("pki_revoke", *arguments, "--justification", "Provtryck", "--received-at", "2026-01-02T03:04:05")
    assert code == 0
    assert f"{row.serial}: revoked" in out
    record = Revocation.objects.get()
    assert (record.certificate_id, record.reason, record.channel) == (row.id, "keyCompromise", "system")
    assert record.received_at == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=clock.STOCKHOLM)
    assert record.requester.startswith("operator:")
    assert run("pki_revoke", *arguments)[2] == 0  # again changes nothing
    assert Revocation.objects.count() == 1


def test_pki_revoke_refuses(world):
    row = world.issue()
    assert run("pki_revoke", "--ca", "person-hsaid-3", "--serial", "4711", "--reason", "superseded")[2] == 1
    assert run("pki_revoke", "--ca", "nosuch", "--serial", row.serial, "--reason", "superseded")[2] == 2
    # Another CA's serial.
    assert run("pki_revoke", "--ca", "function", "--serial", row.serial, "--reason", "superseded")[2] == 1
    for serial, reason in ((row.serial, "certificateHold"), ("xyz", "superseded"), ("0", "superseded"), ("F" * 41, "superseded")):
        with pytest.raises(CommandError):
            call_command("pki_revoke", "--ca", "person-hsaid-3", "--serial", serial, "--reason", reason)
    future = (clock.now() + dt.timedelta(days=1)).isoformat()
    arguments = ["--ca", "person-hsaid-3", "--serial", row.serial, "--reason", "superseded"]
    assert run("pki_revoke", *arguments, "--received-at", future)[2] == 1
    assert not Revocation.objects.exists()


def test_pki_publish_crls(world):
    out, _, code = run("pki_publish_crls")
    assert (code, len(out.splitlines())) == (0, 2)
    out, _, code = run("pki_publish_crls", "--ca", "root")
    assert (code, out.startswith("root: nummer ")) == (0, True)
    assert len(x509.load_der_x509_crl(building.crl_path(world.root).read_bytes())) == 0
    assert run("pki_publish_crls", "--ca", "nosuch")[2] == 2
    CertificateAuthority.objects.filter(slug="function").update(key_id="00" * 20)
    out, error, code = run("pki_publish_crls")
    assert (code, error) == (1, "inte publicerat: function (HsmKeyMissing)")
    assert "person-hsaid-3: nummer" in out


def test_pki_publish_crls_without_a_ca(transactional_db):
    assert run("pki_publish_crls")[2] == 1


def test_pki_presign_ocsp(world):
    world.issue()
    assert run("pki_presign_ocsp") == ("svar signerade för 3 certifikat\n", "", 0)
    assert run("pki_presign_ocsp") == ("svar signerade för 0 certifikat\n", "", 0)
    assert run("pki_presign_ocsp", "--ca", "person-hsaid-3")[0] == "person-hsaid-3: svar signerade för 2 certifikat\n"
    assert run("pki_presign_ocsp", "--ca", "root")[0] == "root: svar signerade för 2 certifikat\n"
    OcspSigner.objects.filter(ca=world.first).update(key_id="00" * 20)
    world.issue()
    _, error, code = run("pki_presign_ocsp")
    assert (code, error) == (1, "certifikat som saknar svar: person-hsaid-3:1 (1)")
    assert run("pki_presign_ocsp", "--ca", "person-hsaid-3")[2] == 1


def test_pki_check_of_a_working_house(working):
    out, error, code = run("pki_check")
    assert (code, error) == (0, ""), out
    for subject in (
        "ca root:1",
        "hsm root:1",
        "crl root:1",
        "ocsp root:1",
        "ocsp-svar root:1",
        "ocsp-signer function:1",
        "ocsp function:1",
        "hsm function:1",
        "koder",
    ):
        assert f"ok  {subject}: " in out
    assert "FEL" not in out


def test_pki_check_gives_the_sweeper_its_time(working):
    """What was issued or revoked a moment ago has no answer yet, and that is no fault."""
    working.issue(working.second)
    run("pki_revoke", "--ca", "person-hsaid-3", "--serial", working.issue().serial, "--reason", "superseded")
    out, error, code = run("pki_check")
    assert (code, error) == (0, ""), out


def test_pki_check_tells_two_generations_of_a_ca_apart(working):
    """The older one's list is gone, and a certificate of it waits for its answer; the newer one's are as they should be."""
    old = CertificateAuthority.objects.get(id=working.first.id)
    working.issue(issued_at=clock.now() - dt.timedelta(minutes=1))
    building.crl_path(old).unlink()
    new = CertificateAuthority.objects.get(id=working.second.id)
    with tampering() as cursor:
        cursor.execute("UPDATE pki_certificateauthority SET slug = %s, generation = 2 WHERE id = %s", [old.slug, new.id])
    out, _, code = run("pki_check")
    wrong = [line.split(": ")[0] for line in out.splitlines() if line.startswith("FEL")]
    assert (code, wrong) == (1, ["FEL crl person-hsaid-3:1", "FEL ocsp person-hsaid-3:1"])
    for subject in ("crl", "ocsp"):
        assert f"ok  {subject} person-hsaid-3:2: " in out


def test_pki_check_warns_before_an_offline_cas_answers_end(working):
    """Its list was renewed, and the answers were forgotten. Half their life is over, three quarters, all."""
    start = clock.now()
    for part, mark in ((0.45, "ok "), (0.55, "OBS"), (0.8, "FEL"), (1.1, "FEL")):
        with clock.moved_to(start + part * working.root.crl_validity):
            building.publish_crl(working.root.id)
            (line,) = [each for each in run("pki_check")[0].splitlines() if " ocsp-svar " in each]
        assert line.startswith(f"{mark} ocsp-svar root:1: "), part
    assert line.endswith(": har gått ut")
    with clock.moved_to(start + 0.8 * working.root.crl_validity):
        run("pki_presign_ocsp", "--ca", "root")
        assert "ok  ocsp-svar root:1: det första går ut om " in run("pki_check")[0]


def test_pki_check_of_a_system_whose_only_ca_is_planned(working):
    CertificateAuthority.objects.update(state="planned")
    out, _, code = run("pki_check")
    assert (code, "FEL ca: ingen utfärdare finns" in out) == (1, True)


def _swap_lists(world):
    building.crl_path(world.first).write_bytes(building.crl_path(world.second).read_bytes())


def _as_if(world, **values):
    CertificateAuthority.objects.filter(id=world.second.id).update(**values)


FAULTS = {
    ("crl person-hsaid-3:1", "filen saknas"): lambda world: building.crl_path(world.first).unlink(),
    ("crl person-hsaid-3:1", "filen är en annan"): lambda world: _swap_lists(world),
    ("hsm function:1", "HSM svarar inte"): lambda world: _as_if(world, key_id="00" * 20),
    ("hsm function:1", "nyckeln i HSM är inte"): lambda world: _as_if(world, key_id=world.keys.second_signer),
    ("ocsp-signer function:1", "ingen giltig"): lambda world: OcspSigner.objects.filter(ca=world.second).update(
        retired_at=clock.now()
    ),
    ("ocsp function:1", "1 certifikat väntar"): lambda world: world.issue(
        world.second, issued_at=clock.now() - dt.timedelta(minutes=1)
    ),
    ("ocsp root:1", "inget svar"): lambda world: OcspResponse.objects.filter(certificate__ca=world.root).delete(),
    ("koder", "1 mottagna"): lambda world: Secret.objects.create(
        owner_ref="carrier:1", created_at=clock.now() - dt.timedelta(minutes=6), jwe="x"
    ),
    ("koder", "nycklarna"): lambda world: world.forget_secret_keys(),
}


@pytest.mark.parametrize("line", FAULTS, ids=" ".join)
def test_pki_check_finds(working, line):
    FAULTS[line](working)
    out, error, code = run("pki_check")
    assert (code, error.endswith("kontroller visar fel")) == (1, True)
    subject, text = line
    (found,) = [each for each in out.splitlines() if each.startswith(f"FEL {subject}: ")]
    assert text in found


def test_pki_check_finds_an_answer_that_is_not_the_databases(working):
    """Someone writes the good answer back over the revoked one, with the right version."""
    revoked = OcspResponse.objects.filter(certificate__status="revoked", cert_id_hash="sha256").get()
    responder = presigning.delegated_responder(working.second, clock.now())
    row = revoked.certificate
    row.status = "issued"
    row.revoked_at = None
    forged = next(each for each in presigning._sign(presigning.Signing(responder), [row]) if each.cert_id_hash == "sha256")
    OcspResponse.objects.filter(id=revoked.id).update(der=forged.der)
    assert x509_ocsp.load_der_ocsp_response(forged.der).certificate_status == x509_ocsp.OCSPCertStatus.GOOD
    out, _, code = run("pki_check")
    assert (code, "svaret är ett annat än databasens status" in out) == (1, True)


def test_pki_check_finds_old_things(working):
    with clock.moved_to(clock.now() + dt.timedelta(hours=2)):
        out, _, code = run("pki_check")
        assert (code, out.count("skulle ha ersatts")) == (1, 2)
    with clock.moved_to(clock.now() + dt.timedelta(days=21)):
        out, _, code = run("pki_check")
        assert (code, out.count("FEL ocsp-signer")) == (1, 2)
        assert out.count("har gått ut") == 2
