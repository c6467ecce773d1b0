"""Planning, signing and settling, on a real token and database: what is refused, what races, what a cut leaves."""

import datetime as dt
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import OperationalError, connection, connections, transaction

from pki import service
from pki.authorities import stored_profiles
from pki.domain.profiles import PROFILES
from pki.hsm import HsmKeyMissing, HsmPinError, HsmUnavailable, Signatures
from pki.issuing import claiming, planning, signing
from pki.models import CaState, Certificate, CertificateAuthority, CertificateBlob, ClockMark, Event, OcspResponse, Revocation
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid
from tests.forking import forked
from tests.pki import orders
from tests.pki.hsm.hsm_faults import intercepted, nth
from tests.pki.orders import card, csr, order, plan
from tests.pki_fixtures import tampering
from tests.waiting import sessions_waiting, wait_for

CKR_DATA_LEN_RANGE = 0x21
CUTS = 10 if os.environ.get("SITHS_LONG") else 3


def events(id_) -> list[str]:
    return list(
        Event.objects.filter(subject_type="certificate", subject_ref=str(id_)).order_by("id").values_list("action", flat=True)
    )


def revoke(*ids, reason="unspecified") -> None:
    with transaction.atomic():
        service.plan_revocation(ids, reason=reason, actor_ref="user:1", received_at=clock.now(), channel="portal")


# --- planning -----------------------------------------------------------------------------------------------------------


def test_planning_commits_serial_and_bytes_before_any_signature(demo_pki):
    ids = plan(*card())
    rows = list(Certificate.objects.filter(id__in=ids))
    assert {row.status for row in rows} == {"reserved"}
    assert len({row.serial for row in rows}) == 4
    for row in rows:
        assert len(row.serial) == 30
        assert row.serial != row.spki_sha256
        assert (row.carrier_ref, row.unit_ref, row.subject_ref) == ("carrier:1", "organisation:1", "person:1")
    assert not CertificateBlob.objects.filter(certificate__in=ids).exists()
    assert [view.profile for view in service.certificates(ids)] == list(orders.PERSON_PROFILES)
    assert [events(id_) for id_ in ids] == [["certificate.reserved"]] * 4


def test_a_rolled_back_plan_leaves_nothing(demo_pki):
    before = Certificate.objects.count(), Event.objects.count()

    def fail() -> None:
        with transaction.atomic():
            service.plan_certificates(card(), actor_ref="client:test", unit_ref="")
            raise Conflict("something-else", "Något annat.")

    with pytest.raises(Conflict):
        fail()
    assert (Certificate.objects.count(), Event.objects.count()) == before


def _broken_request() -> bytes:
    der = bytearray(csr())
    der[-1] ^= 1
    return bytes(der)


def _other_key_request() -> bytes:
    """A request whose key is another's: the signature was made with one's own."""
    ours, theirs = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return csr(ours).replace(ours.public_key().public_bytes(*spki), theirs.public_key().public_bytes(*spki))


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"csr_der": b"no request"}, "csr-malformed", "csr"),
        ({"csr_der": _broken_request()}, "csr-proof-of-possession", "csr"),
        ({"csr_der": _other_key_request()}, "csr-proof-of-possession", "csr"),
        ({"csr_der": csr(ec.generate_private_key(ec.SECP521R1()))}, "certificate-order", "csr"),
        ({"subject": orders.HSA_SUBJECT | {"commonName": "x" * 65}}, "certificate-order", "commonName"),
        ({"subject": orders.PERSON_SUBJECT}, "certificate-order", "organizationName"),
        ({"subject_alternative": {"rfc822Name": "åsa@example.com"}}, "certificate-order", "rfc822Name"),
        ({"subject_alternative": {"dNSName": "example.com"}}, "certificate-order", "dNSName"),
        ({"card_number": None}, "certificate-order", "card_number"),
        ({"card_number": "٩752269999000000017"}, "certificate-order", "card_number"),
        ({"not_after": clock.now() - dt.timedelta(days=1)}, "certificate-order", "not_after"),
        ({"not_after": clock.now() + dt.timedelta(days=1829)}, "certificate-order", "not_after"),
        ({"profile": "person-id-auth", "ca": "person-hsaid-3"}, "profile-not-offered", "profile"),
        ({"profile": "unknown"}, "profile-not-offered", "profile"),
        ({"profile": "ocsp-signer"}, "profile-not-orderable", None),
        ({"ca": "unknown"}, "ca-unknown", "ca"),
    ],
)
def test_what_is_not_certified_is_refused_with_the_field(demo_pki, changes, code, field):
    before = Certificate.objects.count()
    with pytest.raises(Invalid) as refused:
        plan(order(**changes))
    assert refused.value.code == code
    assert field is None or field in refused.value.fields
    assert Certificate.objects.count() == before


@pytest.mark.parametrize("state", [CaState.STATUS_ONLY, CaState.RETIRED, CaState.COMPROMISED, CaState.OFFLINE])
def test_only_an_active_ca_issues(demo_pki, state):
    CertificateAuthority.objects.filter(slug="person-hsaid-3").update(state=state)
    with pytest.raises(Conflict) as refused:
        plan(order())
    assert refused.value.code == "ca-not-active"


def test_a_ca_certificate_cannot_be_ordered(demo_pki):
    with pytest.raises(Conflict):  # the root is offline
        plan(order(ca="root", profile="issuing-ca", subject_alternative={}, card_number=None))


def test_two_first_plans_of_the_same_profiles_never_wait_for_each_other_both(demo_pki):
    """Rows of profiles are made in one order, whatever the orders: in another, PostgreSQL would end one of the two."""
    first, second = "person-id-auth", "person-id-sign"
    outcomes: list[object] = []

    def other_way_round() -> None:
        try:
            with transaction.atomic():
                outcomes.append(sorted(stored_profiles.versions([second, first])))
        except OperationalError as error:
            outcomes.append(error)
        finally:
            connections.close_all()

    other = threading.Thread(target=other_way_round)
    with transaction.atomic():
        stored_profiles.versions([first])
        other.start()
        wait_for(lambda: sessions_waiting() == 1, "the other to wait")
        stored_profiles.versions([second])
    other.join()
    assert outcomes == [[first, second]]


# --- keys that were seen before -----------------------------------------------------------------------------------------


def test_a_key_of_another_subject_is_refused(demo_pki):
    request = csr()
    plan(order(csr_der=request))
    with pytest.raises(Conflict) as refused:
        plan(order(csr_der=request, subject_ref="person:2"))
    assert refused.value.code == "key-in-use"


def test_a_key_for_another_use_is_refused(demo_pki):
    request = csr()
    with pytest.raises(Conflict):  # within one call
        plan(order("person-hsaid-auth", csr_der=request), order("person-hsaid-sign", csr_der=request))
    plan(order("person-hsaid-auth", csr_der=request))
    with pytest.raises(Conflict):
        plan(order("person-hsaid-sign", csr_der=request))


def test_the_same_key_may_be_renewed_for_its_subject(demo_pki):
    request = csr()
    first = plan(order(csr_der=request))
    second = plan(order(csr_der=request))
    assert first != second
    assert signing.sign_reserved([*first, *second]) == 2


def test_a_compromised_key_is_never_certified_again(demo_pki):
    request = csr()
    (id_,) = plan(order(csr_der=request))
    signing.sign_reserved([id_])
    revoke(id_, reason="keyCompromise")
    with pytest.raises(Conflict) as refused:
        plan(order(csr_der=request))
    assert refused.value.code == "key-compromised"


def test_eight_threads_with_one_key_for_eight_people(demo_pki):
    request, barrier = csr(), threading.Barrier(8)

    def work(number: int) -> str:
        try:
            barrier.wait()
            plan(order(csr_der=request, subject_ref=f"person:{number}"))
        except Conflict as refused:
            return refused.code
        finally:
            connections.close_all()
        return "planned"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(work, range(8)))
    assert outcomes == ["key-in-use"] * 7 + ["planned"]


def test_nothing_is_signed_for_a_compromised_ca_and_what_was_reserved_is_revoked(demo_pki):
    ids = plan(*card())
    CertificateAuthority.objects.filter(slug="person-hsaid-3").update(state="compromised")
    assert signing.sign_reserved(ids) == 2  # the other two of the card are another CA's
    assert signing.settle() == 2
    rows = Certificate.objects.filter(id__in=ids, ca__slug="person-hsaid-3")
    assert set(rows.values_list("status", "signing_attempts")) == {("revoked", 0)}
    assert not CertificateBlob.objects.filter(certificate__in=rows).exists()


# --- serials ------------------------------------------------------------------------------------------------------------


def test_a_serial_that_is_taken_is_drawn_again(demo_pki, monkeypatch):
    (first,) = plan(order())
    taken = int(Certificate.objects.get(id=first).serial, 16)
    drawn = iter([taken, taken, taken + 1])
    monkeypatch.setattr(planning, "draw_serial", lambda ca: next(drawn))
    (second,) = plan(order())
    assert int(Certificate.objects.get(id=second).serial, 16) == taken + 1
    assert events(second) == ["certificate.reserved"]


def test_a_ca_may_draw_plain_random_serials(demo_pki):
    CertificateAuthority.objects.filter(slug="function").update(serial_mode="random")
    (id_,) = plan(order("function"))
    assert len(Certificate.objects.get(id=id_).serial) == 32
    assert signing.sign_reserved([id_]) == 1


# --- signing ------------------------------------------------------------------------------------------------------------


def test_a_card_is_signed_and_answered_for(demo_pki):
    ids = plan(*card())
    assert signing.sign_reserved(ids) == 4
    for view in service.wait_until_settled(ids, seconds=0):
        certificate = x509.load_der_x509_certificate(view.der)
        certificate.verify_directly_issued_by(x509.load_der_x509_certificate(service.chain(view.ca)[0]))
        assert f"{certificate.serial_number:030X}" == view.serial
        row = Certificate.objects.get(id=view.id)
        assert bytes(row.tbs_der) == certificate.tbs_certificate_bytes
        answers = OcspResponse.objects.filter(certificate=row)
        assert {(answer.cert_id_hash, answer.status_version) for answer in answers} == {
            ("sha1", row.status_version),
            ("sha256", row.status_version),
        }
        assert events(view.id) == ["certificate.reserved", "certificate.issued"]


def test_signing_again_changes_nothing(demo_pki):
    ids = plan(order())
    signing.sign_reserved(ids)
    before = service.certificates(ids), events(ids[0])
    assert signing.sign_reserved(ids) == 0
    assert signing.settle() == 0
    assert (service.certificates(ids), events(ids[0])) == before


def test_the_sweeper_signs_what_no_wake_up_reached(demo_pki):
    ids = plan(*card(), order("function"))
    assert signing.settle() == 5
    assert {view.status for view in service.certificates(ids)} == {"issued"}


def test_workers_share_the_work(demo_pki):
    ids = plan(*[order(csr_der=csr()) for _ in range(24)])

    def work(_number: int) -> int:
        try:
            return signing.sign_reserved(ids, limit=6)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(8))) == 24
    assert CertificateBlob.objects.filter(certificate__in=ids).count() == 24
    assert Event.objects.filter(action="certificate.issued", subject_ref__in=[str(id_) for id_ in ids]).count() == 24
    versions = list(Certificate.objects.filter(id__in=ids).values_list("status_version", flat=True))
    assert len(set(versions)) == 24


def test_no_transaction_is_open_while_the_token_signs(demo_pki, monkeypatch):
    ids = plan(order())
    inside = []
    original = signing.sign_many

    def watched(*arguments, **limits):
        inside.append(connection.in_atomic_block)
        return original(*arguments, **limits)

    monkeypatch.setattr(signing, "sign_many", watched)
    signing.sign_reserved(ids)
    assert inside == [False]


def test_a_revocation_in_the_meantime_wins(demo_pki, monkeypatch):
    ids = plan(order())
    original = signing.sign_many

    def revoked_meanwhile(*arguments, **limits):
        signatures = original(*arguments, **limits)
        revoke(*ids)
        return signatures

    monkeypatch.setattr(signing, "sign_many", revoked_meanwhile)
    assert signing.sign_reserved(ids) == 0
    (view,) = service.certificates(ids)
    assert (view.status, view.der) == ("revoked", None)
    assert events(ids[0]) == ["certificate.reserved", "certificate.revoked"]
    assert signing.settle() == 0


def test_bytes_that_were_changed_in_the_table_are_never_signed(demo_pki):
    ids = plan(order(), order())
    first, second = Certificate.objects.filter(id__in=ids)
    with tampering() as cursor:
        cursor.execute("UPDATE pki_certificate SET tbs_der = %s WHERE id = %s", [bytes(second.tbs_der), str(first.id)])
    assert signing.sign_reserved(ids) == 1
    row = Certificate.objects.get(id=first.id)
    assert (row.status, row.failure) == ("failed", "the stored bytes are not those that were planned")
    assert events(first.id) == ["certificate.reserved", "certificate.failed"]


def test_bytes_that_break_the_profile_are_never_signed(demo_pki):
    ids = plan(order())
    row = Certificate.objects.get(id=ids[0])
    other = PROFILES["person-hsaid-sign"]
    with tampering() as cursor:
        definition = json.dumps(other.definition())
        cursor.execute("UPDATE pki_profileversion SET definition = %s WHERE id = %s", [definition, row.profile_version_id])
    assert signing.sign_reserved(ids) == 0
    assert Certificate.objects.get(id=ids[0]).status == "failed"


def test_a_token_that_is_away_leaves_the_row_for_later(demo_pki, monkeypatch, tally):
    ids = plan(order())
    with monkeypatch.context() as patched:
        patched.setattr(signing, "sign_many", failing(began=False))
        assert signing.sign_reserved(ids) == 0
        assert signing.settle() == 0
    row = Certificate.objects.get(id=ids[0])
    assert (row.status, row.signing_started_at, row.signing_attempts) == ("reserved", None, 0)
    assert signing.settle() == 1
    tally.run(ids, Certificate.objects.filter(status="issued", id__in=ids).values_list("id", flat=True), "certificates")


def test_what_the_token_refuses_stops_no_other_of_its_batch(demo_pki):
    ids = plan(*[order(csr_der=csr()) for _ in range(5)])
    with intercepted("C_SignInit", nth(2, lambda _call: CKR_DATA_LEN_RANGE)):
        assert signing.sign_reserved(ids, answers=False) == 4
    rows = Certificate.objects.filter(id__in=ids).order_by("created_at", "id").values_list("status", "signing_attempts")
    assert list(rows) == [("issued", 1)] * 2 + [("reserved", 1)] + [("issued", 1)] * 2


def test_what_the_claim_leaves_no_time_for_is_free_at_once(demo_pki, monkeypatch):
    ids = plan(*card())
    with monkeypatch.context() as patched:
        patched.setattr(signing, "MAX_SIGNING", dt.timedelta(0))
        assert signing.sign_reserved(ids) == 0
    rows = Certificate.objects.filter(id__in=ids).values_list("status", "signing_started_at", "signing_attempts")
    assert set(rows) == {("reserved", None, 0)}
    assert signing.settle() == 4


def test_more_are_signed_than_one_call_into_the_token_takes(demo_pki, monkeypatch):
    monkeypatch.setattr(signing, "AT_ONCE", 2)
    ids = plan(*[order(csr_der=csr()) for _ in range(5)], *card())
    assert signing.sign_reserved(ids, answers=False) == 9
    for view in service.certificates(ids):
        certificate = x509.load_der_x509_certificate(view.der)
        certificate.verify_directly_issued_by(x509.load_der_x509_certificate(service.chain(view.ca)[0]))


def test_a_claim_finds_room_beside_its_row_and_touches_no_index(demo_pki):
    connection.close()  # which may not have told yet what earlier tests updated
    ids = plan(*[order(csr_der=csr()) for _ in range(30)])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(claiming.CLAIM_ROWS, [clock.now(), ids])
        cursor.execute("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'pki_certificate'")
        assert cursor.fetchone() == (30, 30)


def failing(began: bool, kind=HsmUnavailable):
    def sign(*_arguments, until):
        return Signatures((), kind("away", began=began))

    return sign


def test_what_may_have_been_signed_is_revoked_after_an_hour_without_a_try(demo_pki, monkeypatch):
    ids, start = plan(order()), clock.now()
    with monkeypatch.context() as patched, clock.moved_to(start + dt.timedelta(minutes=30)):
        patched.setattr(signing, "sign_many", failing(began=True))
        signing.settle()
    monkeypatch.setattr(signing, "sign_many", failing(began=False))
    for minutes in range(31, 90, 10):
        with clock.moved_to(start + dt.timedelta(minutes=minutes)):
            assert signing.settle() == 0
    assert Certificate.objects.get(id=ids[0]).signing_attempts == 1
    with clock.moved_to(start + dt.timedelta(minutes=91)):
        assert signing.settle() == 1
        row = Certificate.objects.get(id=ids[0])
        assert (row.status, row.reason) == ("revoked", "unspecified")
        assert Revocation.objects.get(certificate=row).requester == "system:possibly-signed"
        demo_pki.settle()
        assert OcspResponse.objects.filter(certificate=row, status_version=row.status_version).count() == 2
    assert events(ids[0]) == ["certificate.reserved", "certificate.revoked"]


@pytest.mark.parametrize("kind", [HsmUnavailable, HsmPinError, HsmKeyMissing])
def test_an_outage_of_hours_in_which_nothing_was_signed_revokes_nothing(demo_pki, monkeypatch, kind):
    ids, start = plan(*card()), clock.now()
    with monkeypatch.context() as patched:
        patched.setattr(signing, "sign_many", failing(False, kind))
        for hours in range(1, 6):
            with clock.moved_to(start + dt.timedelta(hours=hours)):
                assert signing.settle() == 0
    assert set(Certificate.objects.filter(id__in=ids).values_list("status", "signing_attempts")) == {("reserved", 0)}
    with clock.moved_to(start + dt.timedelta(hours=6)):
        assert signing.settle() == 4


def test_a_row_that_is_old_when_it_is_first_tried_is_tried_again(demo_pki, monkeypatch, tally):
    ClockMark.objects.all().delete()  # five hours ago the ceremony had not signed yet
    with clock.moved_to(clock.now() - dt.timedelta(hours=5)):
        ids = plan(order(not_after=clock.now() + dt.timedelta(days=30)))
    with monkeypatch.context() as patched:
        patched.setattr(signing, "sign_many", failing(began=True))
        assert signing.settle() == 0
    assert signing.settle() == 0  # the claim
    with clock.moved_to(clock.now() + claiming.CLAIM + dt.timedelta(seconds=1)):
        assert signing.settle() == 1
    assert service.certificates(ids)[0].status == "issued"
    tally.run(ids, Certificate.objects.filter(id__in=ids, status="issued").values_list("id", flat=True), "certificates")


def test_a_row_that_fails_each_time_is_left_alone_at_last_and_revoked(demo_pki, monkeypatch):
    ids, start = plan(order()), clock.now()
    monkeypatch.setattr(signing, "sign_many", failing(began=True))
    for minute in range(claiming.MAX_ATTEMPTS + 5):
        with clock.moved_to(start + dt.timedelta(minutes=minute)):
            assert signing.settle() == 0
    assert Certificate.objects.get(id=ids[0]).signing_attempts == claiming.MAX_ATTEMPTS
    with clock.moved_to(start + dt.timedelta(minutes=claiming.MAX_ATTEMPTS + 60)):
        assert signing.settle() == 1
    assert service.certificates(ids)[0].status == "revoked"


def test_the_settings_say_how_long_a_claim_holds():
    program = "import django; django.setup(); from pki.issuing import claiming; print(claiming.CLAIM.total_seconds())"
    for variables, seconds in (({}, "20.0"), ({"PKI_SIGNING_CLAIM_SECONDS": "7"}, "7.0")):
        done = subprocess.run([sys.executable, "-c", program], env=os.environ | variables, capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == seconds, done.stderr


def test_a_row_that_nobody_tried_is_signed_however_old(demo_pki):
    ClockMark.objects.all().delete()  # five hours ago the ceremony had not signed yet
    with clock.moved_to(clock.now() - dt.timedelta(hours=5)):
        ids = plan(order(not_after=clock.now() + dt.timedelta(days=30)))
    assert signing.settle() == 1
    assert service.certificates(ids)[0].status == "issued"


def test_waiting_ends_when_the_worker_is_done_or_the_time_is_out(demo_pki):
    ids = plan(order())
    assert service.wait_until_settled(ids, seconds=0)[0].status == "reserved"

    def work() -> None:
        signing.sign_reserved(ids)
        connections.close_all()

    worker = threading.Thread(target=work)
    worker.start()
    assert service.wait_until_settled(ids, seconds=150)[0].status == "issued"
    worker.join()


# --- power cuts ---------------------------------------------------------------------------------------------------------


def plan_card() -> None:
    plan(*card())


def sign_at_once() -> None:
    """As if the time had passed for which a dead worker's claim is respected."""
    claiming.CLAIM *= 0
    signing.settle()


def test_a_cut_before_the_plan_commits_leaves_nothing(demo_pki, armed):
    before = Certificate.objects.count()
    for _ in range(CUTS):
        (armed / "pki.plan.before-commit").touch()
        assert forked(plan_card, armed) == -9
    assert Certificate.objects.count() == before
    assert not Certificate.objects.filter(status="reserved").exists()
    assert forked(plan_card) == 0
    assert Certificate.objects.filter(status="reserved").count() == 4


@pytest.mark.parametrize(
    "point", ["pki.sign.before-signature", "pki.sign.after-signature", "pki.sign.before-commit", "pki.sign.after-commit"]
)
def test_a_cut_while_signing_loses_and_doubles_nothing(demo_pki, armed, point):
    assert forked(plan_card) == 0
    ids = list(Certificate.objects.filter(status="reserved").order_by("created_at", "id").values_list("id", flat=True))
    planned = {row.id: (row.serial, bytes(row.tbs_der)) for row in Certificate.objects.filter(id__in=ids)}
    killed = 0
    for _ in range(CUTS):
        (armed / point).touch()
        outcome = forked(sign_at_once, armed)
        killed += outcome == -9
        assert outcome == (-9 if not (armed / point).exists() else 0)
        (armed / point).unlink(missing_ok=True)
    assert killed == (1 if point == "pki.sign.after-commit" else CUTS)  # the card's four are stored together
    assert forked(sign_at_once) == 0
    assert {row.id: (row.serial, bytes(row.tbs_der)) for row in Certificate.objects.filter(id__in=ids)} == planned
    for view in service.certificates(ids):
        assert view.status == "issued"
        assert x509.load_der_x509_certificate(view.der).tbs_certificate_bytes == planned[view.id][1]
        assert events(view.id) == ["certificate.reserved", "certificate.issued"]
    demo_pki.settle()
    assert OcspResponse.objects.filter(certificate__in=ids).count() == 8


def test_a_claim_protects_a_row_from_other_workers_until_it_runs_out(demo_pki, armed):
    assert forked(plan_card) == 0
    (armed / "pki.sign.after-signature").touch()
    assert forked(signing.settle, armed) == -9
    assert signing.settle() == 0  # all four were claimed
    with clock.moved_to(clock.now() + dt.timedelta(seconds=21)):
        assert signing.settle() == 4


# --- serial-only certificates -------------------------------------------------------------------------------------------


def serial_only(number: int, **changes) -> service.SerialOnly:
    now = clock.now()
    values = {
        "serial": f"{(1 << 100) + number:X}",
        "not_before": now - dt.timedelta(days=9),
        "not_after": now + dt.timedelta(days=9),
    }
    return service.SerialOnly(**values | changes)


def register(*rows, ca="demo-bulk") -> list:
    with transaction.atomic():
        return service.plan_serial_only(rows, ca=ca, actor_ref="system:import")


def test_certificates_made_elsewhere_are_registered_by_serial(demo_pki):
    revoked = {"revoked_at": clock.now(), "reason": "superseded"}
    ids = register(*[serial_only(number) for number in range(30)], serial_only(99, **revoked))
    views = service.certificates(ids)
    assert [view.status for view in views] == ["issued"] * 30 + ["revoked"]
    assert {(view.ca, view.profile, view.der) for view in views} == {("demo-bulk", "", None)}
    assert Event.objects.get(action="certificates.registered").facts["count"] == 31


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"serial": "xyz"}, Invalid, "serial"),
        ({"revoked_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, Invalid, "reason"),
        ({"reason": "superseded"}, Invalid, "reason"),
        ({"serial": f"{1 << 100:X}"}, Conflict, "serial-known"),
    ],
)
def test_wrong_serial_only_rows_are_refused(demo_pki, changes, error, code):
    register(serial_only(0))
    with pytest.raises(error) as refused:
        register(serial_only(1), serial_only(2, **changes))
    assert refused.value.code == code
    assert Certificate.objects.filter(ca__slug="demo-bulk").count() == 1


def test_a_ca_that_issues_takes_no_serial_only_rows(demo_pki):
    with pytest.raises(Conflict):
        register(serial_only(0), ca="person-hsaid-3")
