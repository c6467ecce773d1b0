"""The journal has each certificate, ended hold and revocation before anybody gets to know of it (F15)."""

import pytest
from django.db import transaction

from pki import service
from pki.crl import building
from pki.issuing import signing
from pki.models import Certificate, CertificateBlob, CrlScope, OcspResponse
from pki.ocsp import presigning
from pki.revocation import releasing
from siths_portal.lib.files import journal
from tests.pki.ocsp.test_status_face import revoke
from tests.pki.orders import card, plan
from tests.pki.revocation.test_holds import planned
from tests.pki.revocation.test_releasing import ask, proven


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.JOURNAL_DIR = tmp_path / "journal"
    return settings.JOURNAL_DIR


@pytest.fixture
def full(folder):
    """The journal's volume takes nothing until it is unlinked: a file is where its folder would be."""
    folder.mkdir()
    blocking = folder / "pki"
    blocking.touch()
    return blocking


def records(kind: str) -> list[dict]:
    return [record for record in journal.read("pki") if record["kind"] == kind]


def test_a_certificate_is_in_the_journal_with_its_row(demo_pki):
    ids = plan(*card())
    signing.sign_reserved(ids)
    found = {record["id"]: record for record in records("certificate")}
    for row in Certificate.objects.filter(id__in=ids).select_related("ca", "blob", "profile_version"):
        record = found[str(row.id)]
        assert journal.unpacked(record["der"]) == bytes(row.blob.der)
        assert (record["ca"], record["generation"], record["serial"]) == (row.ca.slug, row.ca.generation, row.serial)
        assert (record["carrier_ref"], record["subject_ref"]) == ("carrier:1", "person:1")
        assert record["profile"] == row.profile_version.sha256


def test_without_a_journal_nothing_is_issued_and_nothing_lost(demo_pki, full):
    ids = plan(*card())
    with pytest.raises(OSError, match="pki"):
        signing.sign_reserved(ids)
    rows = Certificate.objects.filter(id__in=ids)
    assert set(rows.values_list("status", flat=True)) == {"reserved"}
    assert not CertificateBlob.objects.filter(certificate__in=ids).exists()
    full.unlink()
    rows.update(signing_started_at=None)  # the claim has expired
    assert signing.sign_reserved(ids) == 4
    assert len(records("certificate")) == 4


def test_a_revocation_is_in_the_journal_before_its_first_response_and_once(world):
    row = world.issue()
    revoke(row, reason="keyCompromise")
    assert presigning.presign([row.id]) == 1
    presigning.presign_all(world.first)
    row.refresh_from_db()
    (record,) = records("revocation")
    assert (record["id"], record["reason"]) == (str(row.id), "keyCompromise")
    assert record["revoked_at"] == f"{row.revoked_at:%Y-%m-%dT%H:%M:%S.%f}Z"


def test_without_a_journal_no_response_says_revoked_but_the_crl_does(world, full):
    row = world.issue()
    revoke(row)
    with pytest.raises(OSError, match="pki"):
        presigning.presign([row.id])
    presigning.presign_due()
    assert not OcspResponse.objects.filter(certificate=row).exists()
    assert building.publish_crl(world.first.id).entries == 1
    full.unlink()
    presigning.presign_due()
    assert OcspResponse.objects.filter(certificate=row).count() == 2
    assert [record["id"] for record in records("revocation")] == [str(row.id)]


def test_a_crl_that_is_first_to_show_a_revocation_writes_it(world):
    row = world.issue()
    revoke(row)
    building.publish_crl(world.first.id)
    assert [record["id"] for record in records("revocation")] == [str(row.id)]
    building.publish_crl(world.first.id)
    assert len(records("revocation")) == 1
    assert CrlScope.objects.filter(ca=world.first).exists()


def test_an_ended_hold_is_in_the_journal(demo_pki):
    ids = planned(*card(), held=True, whole=True)
    demo_pki.settle()
    rows = list(Certificate.objects.filter(id__in=ids))
    assert {record["held"] for record in records("certificate") if record["id"] in map(str, ids)} == {True}
    ask(rows, proven())
    assert releasing.release_holds() == 4
    assert {record["id"] for record in records("release")} == set(map(str, ids))


def test_a_hold_stays_if_the_journal_cannot_have_its_end(demo_pki, folder):
    ids = planned(*card(), held=True, whole=True)
    demo_pki.settle()
    ask(list(Certificate.objects.filter(id__in=ids)), proven())
    for segment in journal.segments("pki"):
        segment.unlink()
    folder.joinpath("pki").rmdir()
    folder.joinpath("pki").touch()
    journal._journals.clear()  # as a process that has no segment open
    with pytest.raises(OSError, match="pki"):
        releasing.release_holds()
    assert set(Certificate.objects.filter(id__in=ids).values_list("held", flat=True)) == {True}
    with transaction.atomic():
        assert service.certificates(ids)
