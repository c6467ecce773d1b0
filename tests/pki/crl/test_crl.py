"""CRLs: what they hold, that their numbers only rise, and that a reader never gets a part of one."""

import dataclasses
import datetime as dt
import hashlib
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from django.db import connection

from pki.crl import building
from pki.crl import entries as crl_entries
from pki.crl import files as crl_files
from pki.domain import crl as der_crl
from pki.models import Certificate, CertificateAuthority, Crl, Event
from siths_portal.lib import clock
from tests.pki.crl.crl_world import number, published, revoke
from tests.pki.linting import WARNING, lint, lint_by_program
from tests.pki_fixtures import tampering

REASONS = {
    "keyCompromise": x509.ReasonFlags.key_compromise,
    "affiliationChanged": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessationOfOperation": x509.ReasonFlags.cessation_of_operation,
    "privilegeWithdrawn": x509.ReasonFlags.privilege_withdrawn,
}


def test_an_empty_crl(world):
    row = building.publish_crl(world.first.id)
    found = published(world.first)
    issuer = x509.load_der_x509_certificate(bytes(world.first.certificate_der))
    assert found.is_signature_valid(issuer.public_key())
    assert found.issuer.public_bytes() == issuer.subject.public_bytes()
    assert len(found) == 0
    from asn1crypto.crl import CertificateList

    parsed = CertificateList.load(building.crl_path(world.first).read_bytes())["tbs_cert_list"]
    assert parsed["version"].native == "v2"
    assert parsed["revoked_certificates"].native is None  # absent, not an empty sequence (B1.15)
    aki = found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    ski = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert aki.key_identifier == ski.digest
    assert [extension.critical for extension in found.extensions] == [False, False]
    assert found.last_update_utc <= clock.now()
    assert found.next_update_utc == found.last_update_utc + dt.timedelta(hours=48)
    assert (row.number, row.entries) == (number(found), 0)
    assert row.sha256 == hashlib.sha256(building.crl_path(world.first).read_bytes()).hexdigest()


def test_entries_tell_when_and_why(world):
    rows = {reason: world.issue() for reason in [*REASONS, "unspecified"]}
    earlier = (clock.now() - dt.timedelta(days=3)).replace(microsecond=0)
    for reason, row in rows.items():
        revoke(row, reason=reason, invalidity_date=earlier if reason == "keyCompromise" else None)
    world.issue()
    world.issue(status="failed")
    building.publish_crl(world.first.id)
    found = published(world.first)
    assert len(found) == 6
    for reason, row in rows.items():
        row.refresh_from_db()
        entry = found.get_revoked_certificate_by_serial_number(int(row.serial, 16))
        assert entry.revocation_date_utc == row.revoked_at.replace(microsecond=0)
        assert not any(extension.critical for extension in entry.extensions)
        if reason == "unspecified":
            assert len(entry.extensions) == 0
            continue
        assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == REASONS[reason]
        if reason == "keyCompromise":
            assert entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc == earlier


def test_a_cas_crl_holds_its_own_certificates_only(world):
    first, second = world.issue(world.first), world.issue(world.second)
    revoke(first, second)
    for ca, row in ((world.first, first), (world.second, second)):
        building.publish_crl(ca.id)
        assert [entry.serial_number for entry in published(ca)] == [int(row.serial, 16)]
    assert published(world.second).signature_hash_algorithm.name == hashes.SHA384.name


def test_a_reserved_certificate_that_was_revoked_stands_in_it(world):
    row = world.issue(status="reserved")
    revoke(row)
    building.publish_crl(world.first.id)
    assert published(world.first).get_revoked_certificate_by_serial_number(int(row.serial, 16)) is not None


def test_the_roots_list_is_made_on_order_and_lives_long(world):
    authority = Certificate.objects.filter(ca=world.root).first()
    revoke(authority)
    assert {outcome.ca.slug for outcome in building.publish_due()} == {"person-hsaid-3", "function"}
    building.publish_crl(world.root.id)
    found = published(world.root)
    assert len(found) == 1
    assert found.next_update_utc - found.last_update_utc == dt.timedelta(days=365)


def test_numbers_rise_also_when_the_clock_does_not(world, tally):
    with clock.moved_to(clock.now()):
        first = building.publish_crl(world.first.id)
        assert abs(first.number - clock.now().timestamp() * 1000) < 2
        second = building.publish_crl(world.first.id)
    assert second.number == first.number + 1
    CertificateAuthority.objects.filter(id=world.first.id).update(last_crl_number=10**15)
    assert building.publish_crl(world.first.id).number == 10**15 + 1
    tally.run([first.number, first.number + 1], [first.number, second.number], "numbers of CRLs")


def test_a_clock_that_went_back_publishes_nothing(world, tally):
    revoke(world.issue())
    building.publish_crl(world.first.id)
    before = building.crl_path(world.first).read_bytes()
    with clock.moved_to(clock.now() - dt.timedelta(minutes=2)):
        with pytest.raises(building.ClockWentBack):
            building.publish_crl(world.first.id)
        outcomes = building.publish_online()
    assert [(each.ca.slug, each.error) for each in outcomes] == [
        ("person-hsaid-3", "ClockWentBack"),
        ("function", "ClockWentBack"),
    ]
    assert building.crl_path(world.first).read_bytes() == before
    assert Crl.objects.filter(ca=world.first).count() == 1
    assert Event.objects.filter(action="crl.published", facts__ca="person-hsaid-3").count() == 1
    tally.run([before], [building.crl_path(world.first).read_bytes()], "CRLs")


def test_an_entry_stays_until_it_stood_in_one_crl_after_the_certificates_end(world):
    start = clock.now()
    end = start + dt.timedelta(hours=10)
    row = world.issue(not_after=end)
    revoke(row)
    listed = []
    for hours in (1, 9, 12, 13, 14):
        with clock.moved_to(start + dt.timedelta(hours=hours)):
            building.publish_crl(world.first.id)
        listed.append(len(published(world.first)))
    assert listed == [1, 1, 1, 0, 0]


def test_a_late_revocation_of_an_ended_certificate_stands_in_one_crl(world):
    row = world.issue(not_after=clock.now() - dt.timedelta(hours=5))
    building.publish_crl(world.first.id)
    revoke(row)
    listed = []
    for _ in range(2):
        building.publish_crl(world.first.id)
        listed.append(len(published(world.first)))
    assert listed == [1, 0]


def test_publishing_is_an_event_and_leaves_no_temporary_file(world):
    row = building.publish_crl(world.first.id)
    (event,) = Event.objects.filter(action="crl.published")
    assert event.facts["number"] == row.number
    assert [path.name for path in building.crl_path(world.first).parent.iterdir()] == [row.file_name]


def test_only_due_lists_are_published(world):
    assert len(building.publish_due()) == 2
    assert building.publish_due() == []
    assert len(building.publish_online()) == 2
    with clock.moved_to(clock.now() + dt.timedelta(minutes=61)):
        assert len(building.publish_due()) == 2


def test_a_list_whose_file_is_missing_is_published_again(world):
    building.publish_due()
    lost = building.crl_path(world.first)
    before = number(published(world.first))
    lost.unlink()
    assert [outcome.ca for outcome in building.publish_due()] == [world.first]
    assert number(published(world.first)) > before
    assert building.publish_due() == []


def test_one_cas_missing_key_does_not_hold_the_others_up(world):
    CertificateAuthority.objects.filter(id=world.first.id).update(key_id="00" * 20)
    outcomes = building.publish_due()
    assert [(each.ca.slug, each.error) for each in outcomes] == [("person-hsaid-3", "HsmKeyMissing"), ("function", "")]
    assert outcomes[1].crl.entries == 0


def test_one_cas_row_that_no_list_can_hold_does_not_hold_the_others_up(world):
    row = world.issue()
    revoke(row)
    with tampering() as cursor:
        cursor.execute("UPDATE pki_certificate SET revoked_at = '1900-01-01' WHERE id = %s", [str(row.id)])
    outcomes = building.publish_due()
    assert [(each.ca.slug, each.error) for each in outcomes] == [("person-hsaid-3", "ValueError"), ("function", "")]


def test_publishers_at_once_never_go_backwards(world):
    """Eight threads publish while one reads the file: each read is a whole CRL, and numbers never fall."""
    for _ in range(20):
        revoke(world.issue())
    building.publish_crl(world.first.id)
    failures, seen, stop = [], [], threading.Event()

    def publish():
        try:
            for _ in range(3):
                building.publish_crl(world.first.id)
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    def read():
        while not stop.is_set():
            found = published(world.first)
            seen.append((number(found), len(found)))

    reader = threading.Thread(target=read)
    publishers = [threading.Thread(target=publish) for _ in range(8)]
    reader.start()
    [thread.start() for thread in publishers]
    [thread.join() for thread in publishers]
    stop.set()
    reader.join()
    assert failures == []
    numbers = [each for each, _ in seen]
    assert numbers == sorted(numbers)
    assert {entries for _, entries in seen} == {20}
    newest = Crl.objects.filter(ca=world.first).order_by("-number").first()
    assert number(published(world.first)) == newest.number
    assert newest.sha256 == hashlib.sha256(building.crl_path(world.first).read_bytes()).hexdigest()


def test_the_token_signs_with_no_transaction_open(world, monkeypatch):
    digest, seen = crl_files.Maker.digest, []
    monkeypatch.setattr(crl_files.Maker, "digest", lambda maker: seen.append(connection.in_atomic_block) or digest(maker))
    building.publish_crl(world.first.id)
    assert seen == [False]


def _wrong_frame(**changes):
    def spoil(monkeypatch):
        frame = building._frame
        monkeypatch.setattr(building, "_frame", lambda *given: dataclasses.replace(frame(*given), **changes))

    return spoil


def _wrong_signature(monkeypatch):
    finish = crl_files.Maker.finish
    monkeypatch.setattr(crl_files.Maker, "finish", lambda maker, made: finish(maker, made[:-1] + bytes([made[-1] ^ 1])))


def _wrong_count(monkeypatch):
    write = crl_entries.write

    def fewer(file, **scope):
        written = write(file, **scope)
        return crl_entries.Written(written.count + 1, written.size)

    monkeypatch.setattr(crl_entries, "write", fewer)


def _wrong_draft(**changes):
    def spoil(monkeypatch):
        frame = building._frame
        monkeypatch.setattr(building, "_frame", lambda draft, *more: frame(dataclasses.replace(draft, **changes), *more))

    return spoil


SPOILED = {
    "signature": _wrong_signature,
    "count": _wrong_count,
    "number": _wrong_draft(number=1),
    "scope": _wrong_draft(shard=3),
    "issuer": _wrong_frame(issuer=bytes.fromhex("3000")),
    "times": _wrong_frame(this_update=0),
    "key": _wrong_frame(extensions=der_crl.extensions(ski=b"another", number=1)),
    "not a CRL": _wrong_frame(issuer=b"\x30"),
}


@pytest.mark.parametrize("fault", list(SPOILED))
def test_a_crl_that_does_not_hold_what_it_must_is_not_published(world, monkeypatch, fault):
    revoke(world.issue())
    building.publish_crl(world.first.id)
    before = building.crl_path(world.first).read_bytes()
    SPOILED[fault](monkeypatch)
    with pytest.raises(building.SelfCheckFailed, match=fault):
        building.publish_crl(world.first.id)
    assert building.crl_path(world.first).read_bytes() == before
    assert Crl.objects.count() == 1
    assert not list(building.crl_path(world.first).parent.glob(".*"))


def test_many_entries_are_all_listed(world):
    moment = clock.now()
    Certificate.objects.bulk_create(
        Certificate(
            ca=world.first,
            serial=f"01{index:028X}",
            status="revoked",
            reason="superseded",
            revoked_at=moment,
            not_before=moment,
            not_after=moment + dt.timedelta(days=100),
            created_at=moment,
        )
        for index in range(8_000)
    )
    assert building.publish_crl(world.first.id).entries == len(published(world.first)) == 8_000


def test_pkilint_finds_nothing_in_ocsp_answers(world, tmp_path):
    from pki.models import OcspResponse
    from pki.ocsp import presigning

    rows = [world.issue() for _ in range(2)]
    revoke(rows[1], reason="keyCompromise")
    presigning.presign([row.id for row in rows])
    presigning.presign_all(world.root)
    for index, stored in enumerate(OcspResponse.objects.all()):
        path = tmp_path / f"{index}.ocsp"
        path.write_bytes(bytes(stored.der))
        assert lint("lint_ocsp_response", *WARNING, path) == 0
    assert index >= 5
    assert lint_by_program("lint_ocsp_response", *WARNING, path) == 0


def test_pkilint_bites(world, tmp_path):
    """A CRL without its number and key identifier has findings, so none above means something."""
    key = world.token.private_key(world.keys.first)
    issuer = x509.load_der_x509_certificate(bytes(world.first.certificate_der))
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(clock.now())
    bad = builder.next_update(clock.now() + dt.timedelta(days=1)).sign(key, hashes.SHA256())
    from cryptography.hazmat.primitives.serialization import Encoding

    (tmp_path / "bad.crl").write_bytes(bad.public_bytes(Encoding.DER))
    assert lint("lint_crl", "-t", "CRL", "-p", "PKIX", *WARNING, tmp_path / "bad.crl") > 0
