"""A database that lost what was issued since its backup has it again from the journal, and gives no serial twice (F15)."""

import pytest

from pki.issuing import signing
from pki.models import Certificate, CertificateBlob, Event, OcspResponse, RsaKey
from pki.ocsp import presigning, status_integrity
from pki.revocation import releasing
from pki.takeover import replaying
from siths_portal.lib.files import journal
from tests.pki.ocsp.test_status_face import revoke
from tests.pki.orders import card, csr, order, plan, rsa_key
from tests.pki.revocation.test_holds import planned
from tests.pki.revocation.test_releasing import ask, proven
from tests.pki_fixtures import tampering

STATES = (
    "id",
    "ca_id",
    "serial",
    "status",
    "held",
    "revoked_at",
    "reason",
    "tbs_sha256",
    "spki_sha256",
    "not_after",
    "created_at",
)
REFS = ("subject_ref", "carrier_ref", "unit_ref", "client_ref", "profile_version_id")


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.JOURNAL_DIR = tmp_path / "journal"


def states(ids) -> list[tuple[object, ...]]:
    return list(Certificate.objects.filter(id__in=ids).order_by("id").values_list(*STATES, *REFS))


def ders(ids) -> dict[object, bytes]:
    return {id_: bytes(der) for id_, der in CertificateBlob.objects.filter(certificate__in=ids).values_list("certificate", "der")}


def lose(ids) -> None:
    """The backup is older than these certificates and all that is known of them."""
    found = [str(id_) for id_ in ids]
    with tampering() as cursor:
        for table in ("pki_certificateblob", "pki_ocspresponse", "pki_revocation", "pki_holdrelease"):
            cursor.execute(f"DELETE FROM {table} WHERE certificate_id = ANY(%s::uuid[])", [found])
        cursor.execute("DELETE FROM pki_event WHERE subject_type = 'certificate' AND subject_ref = ANY(%s)", [found])
        cursor.execute("DELETE FROM pki_issuanceset WHERE certificate_ids && %s::uuid[]", [found])
        cursor.execute("DELETE FROM pki_rsakey")
        cursor.execute("DELETE FROM pki_certificate WHERE id = ANY(%s::uuid[])", [found])


def test_lost_certificates_holds_and_revocations_come_back(demo_pki, tally):
    on_hold, released = planned(*card(), held=True, whole=True), planned(*card(), held=True, whole=True)
    (mine, other) = plan(order(csr_der=csr(rsa_key())), order())
    ids = [*on_hold, *released, mine, other]
    demo_pki.settle()
    ask(list(Certificate.objects.filter(id__in=released)), proven())
    releasing.release_holds()
    revoke(Certificate.objects.get(id=mine), reason="keyCompromise")
    presigning.presign_due()
    before, content = states(ids), ders(ids)
    lose(ids)

    found = replaying.replay()
    assert found.faults == []
    assert (states(ids), ders(ids)) == (before, content)
    assert found.counts["missing"] == len(ids)
    assert RsaKey.objects.filter(spki_sha256=Certificate.objects.get(id=mine).spki_sha256).exists()
    presigning.presign_due()
    assert not OcspResponse.objects.filter(certificate__in=on_hold).exists()
    assert OcspResponse.objects.filter(certificate=mine).count() == 2
    assert [fault for fault in status_integrity.verify_statuses().wrong if any(str(id_) in fault for id_ in ids)] == []

    events = Event.objects.count()
    again = replaying.replay()
    assert (again.counts["missing"], again.counts["releases"], again.counts["revocations"], again.faults) == (0, 0, 0, [])
    assert (states(ids), Event.objects.count()) == (before, events)
    tally.run(before, states(ids), "certificates")


def test_a_certificate_whose_commit_was_lost_is_stored_as_it_was_signed(demo_pki, monkeypatch):
    (id_,) = plan(order())
    with monkeypatch.context() as context:
        context.setattr(signing, "store_signed", lambda _signed: [])
        signing.sign_reserved([id_])
    assert Certificate.objects.get(id=id_).status == "reserved"
    (record,) = [record for record in journal.read("pki") if record["id"] == str(id_)]
    assert replaying.replay().counts["certificates"] == 1
    assert ders([id_]) == {id_: journal.unpacked(record["der"])}


def test_records_that_are_not_the_cas_or_take_a_serial_are_refused(demo_pki):
    ids = plan(order(), order())
    signing.sign_reserved(ids)
    records = {record["id"]: record for record in journal.read("pki")}
    one, two = (records[str(id_)] for id_ in ids)
    lose(ids[:1])
    broken = bytearray(journal.unpacked(one["der"]))
    broken[-1] ^= 1
    for path in journal.segments("pki"):
        path.unlink()
    journal._journals.clear()
    journal.append(
        "pki",
        [
            one | {"der": journal.packed(bytes(broken))},
            one | {"id": "00000000-0000-4000-8000-000000000001", "serial": two["serial"]},
            two | {"id": "00000000-0000-4000-8000-000000000002"},
            one | {"id": "00000000-0000-4000-8000-000000000003", "ca": "nobody"},
            {"kind": "revocation", "id": "00000000-0000-4000-8000-000000000004", "ca": one["ca"], "generation": 1}
            | {"serial": "01", "revoked_at": one["created_at"], "reason": "unspecified", "invalidity_date": None},
        ],
    )
    found = replaying.replay()
    assert [line.rpartition(": ")[2] for line in found.faults] == [
        "är inte utfärdarens (signature)",
        "certifikatet har ett annat serienummer",
        "utfärdaren finns inte",
        "serienumret hör till ett annat certifikat",
        "certifikatet finns inte",
    ]
    assert not Certificate.objects.filter(id=ids[0]).exists()
