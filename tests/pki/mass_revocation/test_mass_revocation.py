"""Mass revocation: trial count, two approvers, batches, stop and resume, and what relying parties see afterwards."""

import dataclasses
import datetime as dt
import hashlib
import secrets
import threading
import uuid

import pytest
from cryptography import x509
from cryptography.x509 import ocsp as x509_ocsp
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from pki import approvals, mass_revocation, tasks
from pki.approvals import dual_control
from pki.crl import building
from pki.domain.ocsp_request import CertId
from pki.hsm import HsmUnavailable
from pki.mass_revocation import MassRevocationGrounds, MassSelection, execution
from pki.models import (
    Certificate,
    CertificateStatus,
    Crl,
    Decision,
    Event,
    MassRevocation,
    MassRevocationMember,
    OcspResponse,
    OcspSigner,
    ProfileVersion,
    Revocation,
)
from pki.ocsp import presigning, status
from pki.revocation.revoking import plan_revocation
from pki.service import SourceRecord
from pki.signals import certificate_revoked
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from siths_portal.lib.lists import Cursor, Order
from siths_portal.lib.processes import jobs
from tests import superuser
from tests.pki_fixtures import tampering
from tests.waiting import sessions_waiting, wait_for

DAY = dt.timedelta(days=1)
EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FIRST, SECOND = "person-hsaid-3:1", "function:1"
ALL_OF_FIRST = MassSelection(cas=(FIRST,))


def grounds(**changes):
    values = {
        "reason": "keyCompromise",
        "justification": "Nyckelgeneratorn var svag",
        "received_at": clock.now(),
        "channel": "system",
    }
    return MassRevocationGrounds(**(values | changes))


def ask(selection=ALL_OF_FIRST, *, actor_ref="user:1", **changes):
    trial = mass_revocation.dry_run(selection)
    return mass_revocation.request_mass_revocation(
        trial.selection, grounds(**changes), as_of=trial.as_of, members_sha256=trial.members_sha256, actor_ref=actor_ref
    )


def approve(view, *who):
    for approver in who or ("user:2", "user:3"):
        approvals.decide(
            request_id=view.approval_request_id,
            approver_ref=approver,
            decision=Decision.APPROVED,
            document_sha256=view.document_sha256,
        )


def started(selection=ALL_OF_FIRST, **changes):
    view = ask(selection, **changes)
    approve(view)
    return mass_revocation.start_mass_revocation(view.id, actor_ref="user:1")


def run(view):
    """Turns until nothing is left to do."""
    while execution.run(view.id):
        pass
    return mass_revocation.mass_revocation(view.id)


def rows_like(world, count, ca=None, **changes):
    """Certificates as rows, many at once; without DER, which neither CRL nor OCSP needs."""
    now = clock.now()
    values = {
        "ca": ca or world.first,
        "not_before": now - 700 * DAY,
        "not_after": now + 700 * DAY,
        "created_at": now,
        "status": "issued",
        "issued_at": now,
    } | changes
    return Certificate.objects.bulk_create(
        Certificate(serial=f"{1 << 126 | secrets.randbits(126):X}", **values) for _ in range(count)
    )


def told(row):
    """What OCSP says of a certificate; None while there is no answer."""
    asked = CertId("sha256", row.ca.name_sha256, row.ca.key_sha256, int(row.serial, 16))
    try:
        answer = x509_ocsp.load_der_ocsp_response(status.answer(asked).der)
    except status.TryLater:
        return None
    return answer.certificate_status.name, answer.revocation_time_utc, answer.revocation_reason


def listed(ca):
    """Serial, time and reason of each entry in the CA's CRL."""
    found = x509.load_der_x509_crl(building.crl_path(ca).read_bytes())
    return {
        entry.serial_number: (entry.revocation_date_utc, entry.extensions.get_extension_for_class(x509.CRLReason).value.reason)
        for entry in found
    }


# --- the trial count ----------------------------------------------------------------------------------------------------


def profile(name="person-hsaid-auth", **definition):
    return ProfileVersion.objects.create(
        name=name, version=1, sha256=uuid.uuid4().hex * 2, definition=definition, created_at=clock.now()
    )


def test_a_trial_count_is_exact_by_ca_profile_and_status_and_changes_nothing(world):
    auth, sign = profile(), profile("person-hsaid-sign")
    rows_like(world, 5, profile_version=auth)
    rows_like(world, 3, profile_version=sign)
    rows_like(world, 2, profile_version=auth, status="reserved", issued_at=None)
    rows_like(world, 4, profile_version=auth, status="failed", issued_at=None)
    rows_like(world, 1, profile_version=auth, status="revoked", revoked_at=clock.now(), reason="superseded")
    rows_like(world, 7, world.second, profile_version=auth)
    before = Event.objects.count()
    trial = mass_revocation.dry_run(MassSelection(cas=(FIRST, SECOND)))
    assert [(g.ca, g.generation, g.profile, g.reserved, g.issued, g.revoked) for g in trial.groups] == [
        ("function", 1, "person-hsaid-auth", 0, 7, 0),
        ("person-hsaid-3", 1, "person-hsaid-auth", 2, 5, 1),
        ("person-hsaid-3", 1, "person-hsaid-sign", 0, 3, 0),
    ]
    assert (trial.total, trial.revocable) == (18, 17)
    assert mass_revocation.dry_run(trial.selection, as_of=trial.as_of) == trial
    assert Event.objects.count() == before
    assert not MassRevocationMember.objects.exists()


def members(selection, **options):
    return mass_revocation.dry_run(selection, **options)


def test_each_criterion_restricts(world):
    now = clock.now()
    old = rows_like(world, 1, issued_at=now - 30 * DAY, unit_ref="unit:1", client_ref="client:1", spki_sha256="ab" * 32)[0]
    new = rows_like(world, 2, issued_at=now - DAY, unit_ref="unit:2", client_ref="client:1", profile_version=profile())
    other = rows_like(world, 4, world.second, issued_at=now - DAY)
    cases = [
        (MassSelection(cas=(FIRST,)), 3),
        (MassSelection(cas=(SECOND,)), 4),
        (MassSelection(profiles=("person-hsaid-auth",)), 2),
        (MassSelection(issued_from=now - 30 * DAY), 7),
        (MassSelection(issued_until=now - 30 * DAY), 0),
        (MassSelection(issued_from=now - 30 * DAY, issued_until=now - DAY), 1),
        (MassSelection(issued_until=now), 7),
        (MassSelection(unit_ref="unit:2"), 2),
        (MassSelection(client_ref="client:1"), 3),
        (MassSelection(client_ref="client:1", unit_ref="unit:1"), 1),
        (MassSelection(key_hashes=("AB" * 32,)), 1),
        (MassSelection(serials=(old.serial.lower(), other[0].serial)), 2),
        (MassSelection(serials=(old.serial, other[0].serial), cas=(FIRST,)), 1),
        (MassSelection(serials=(":".join(new[0].serial[i : i + 2] for i in range(0, 32, 2)),)), 1),
    ]
    for selection, expected in cases:
        assert members(selection).total == expected, selection


def test_lists_tell_what_they_did_not_hit(world):
    row = rows_like(world, 1)[0]
    trial = members(MassSelection(serials=(row.serial, "4711", "0815")))
    assert (trial.total, trial.unmatched_serials, trial.unmatched_keys) == (1, 2, 0)
    assert set(trial.unmatched_examples) == {"4711", "0815"}
    trial = members(MassSelection(key_hashes=("cd" * 32,)))
    assert (trial.total, trial.unmatched_keys) == (0, 1)


def test_expired_certificates_are_taken_on_order_alone(world):
    rows_like(world, 1)
    rows_like(world, 2, not_after=clock.now() - DAY)
    assert members(ALL_OF_FIRST).total == 1
    assert members(dataclasses.replace(ALL_OF_FIRST, include_expired=True)).total == 3


def test_the_pkis_own_certificates_are_taken_only_where_they_are_named(world):
    rows_like(world, 2)
    rows_like(world, 1, profile_version=profile("ocsp-signer", no_check=True))
    rows_like(world, 1, profile_version=profile("issuing-ca", basic_constraints=True))
    # A reference that a client chose does not keep its certificate out.
    rows_like(world, 1, subject_ref="ca:person-hsaid-3:1")
    rows_like(world, 1, subject_ref="ocsp:4711")
    assert members(ALL_OF_FIRST).total == 4
    assert members(MassSelection(cas=("root:1",))).total == 0  # the issuing CAs' certificates
    signer = OcspSigner.objects.get(ca=world.first).certificate
    assert members(MassSelection(serials=(signer.serial,))).total == 1
    assert members(MassSelection(profiles=("ocsp-signer",))).total == 1
    issuing = Certificate.objects.filter(ca=world.root).first()
    assert members(MassSelection(cas=("root:1",), serials=(issuing.serial,))).total == 1


@pytest.mark.parametrize(
    ("selection", "field"),
    [
        (MassSelection(), "cas"),
        (MassSelection(include_expired=True), "cas"),
        (MassSelection(unit_ref="  "), "cas"),
        (MassSelection(cas=("person-hsaid-3",)), "cas"),
        (MassSelection(cas=("nosuch:1",)), "cas"),
        (MassSelection(profiles=("nosuch",)), "profiles"),
        (MassSelection(serials=("xyz",)), "serials"),
        (MassSelection(serials=("0",)), "serials"),
        (MassSelection(serials=("F" * 41,)), "serials"),
        (MassSelection(serials=tuple(f"{n:X}" for n in range(1, 100_002))), "serials"),
        (MassSelection(key_hashes=("ab",)), "key_hashes"),
        (MassSelection(key_hashes=("zz" * 32,)), "key_hashes"),
        (
            MassSelection(
                issued_from=dt.datetime(2026, 2, 1, tzinfo=dt.UTC), issued_until=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
            ),
            "issued_until",
        ),
    ],
)
def test_selections_that_cannot_be_used(world, selection, field):
    with pytest.raises(Invalid) as error:
        members(selection)
    assert field in error.value.fields


# --- the request --------------------------------------------------------------------------------------------------------


def test_a_request_fixes_its_certificates_and_waits_for_two(world):
    rows = rows_like(world, 3)
    paper = SourceRecord("user:9", "Arkivet")
    view = ask(received_at=clock.now() - DAY, invalidity_date=clock.now() - 2 * DAY, channel="paper", source_record=paper)
    late = rows_like(world, 2, created_at=clock.now() - DAY)  # committed afterwards, dated before
    assert (view.state, view.total, view.required, view.approver_refs) == ("requested", 3, 2, ())
    assert set(MassRevocationMember.objects.values_list("certificate_id", flat=True)) == {row.id for row in rows}
    joined = b"".join(sorted(row.id.bytes for row in rows))
    assert view.document["members_sha256"] == hashlib.sha256(joined).hexdigest()
    assert "Spärra 3 certifikat (keyCompromise) från person-hsaid-3:1" in view.summary
    approve(view)
    assert mass_revocation.mass_revocation(view.id).state == "approved"
    mass_revocation.start_mass_revocation(view.id, actor_ref="user:1")
    run(view)
    assert set(Certificate.objects.filter(status="revoked").values_list("id", flat=True)) == {row.id for row in rows}
    assert not Certificate.objects.filter(id__in=[row.id for row in late], status="revoked").exists()
    record = Revocation.objects.first()
    assert (record.channel, record.source_record["kept_at"], record.reason) == ("paper", "Arkivet", "keyCompromise")
    assert record.received_at < record.decided_at - dt.timedelta(hours=23)
    assert record.approval_request_id == view.approval_request_id
    assert list(Event.objects.filter(subject_type="mass_revocation").order_by("id").values_list("action", "actor_ref")) == [
        ("mass_revocation.requested", "user:1"),
        ("mass_revocation.started", "user:1"),
        ("mass_revocation.finished", "system:mass-revocation"),
    ]


def test_a_request_for_others_than_the_trial_count_showed_is_refused(world):
    rows_like(world, 3)
    trial = members(ALL_OF_FIRST)
    rows_like(world, 1, created_at=trial.as_of - DAY)
    with pytest.raises(Conflict):
        mass_revocation.request_mass_revocation(
            trial.selection, grounds(), as_of=trial.as_of, members_sha256=trial.members_sha256, actor_ref="user:1"
        )
    assert not MassRevocation.objects.exists()
    assert not MassRevocationMember.objects.exists()
    assert not Event.objects.exists()


def test_a_request_for_nothing_or_from_the_future_is_refused(world):
    trial = members(ALL_OF_FIRST)
    given = {"as_of": trial.as_of, "members_sha256": trial.members_sha256, "actor_ref": "user:1"}
    with pytest.raises(Invalid):
        mass_revocation.request_mass_revocation(trial.selection, grounds(), **given)
    with pytest.raises(Invalid) as error:
        mass_revocation.request_mass_revocation(trial.selection, grounds(), **(given | {"as_of": clock.now() + DAY}))
    assert "as_of" in error.value.fields


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": "certificateHold"}, "reason"),
        ({"reason": "cACompromise"}, "reason"),
        ({"justification": " "}, "justification"),
        ({"justification": "x" * 1001}, "justification"),
        ({"channel": "paper"}, "kept_at"),
        ({"channel": "letter"}, "channel"),
        ({"received_at": dt.datetime(2999, 1, 1, tzinfo=dt.UTC)}, "received_at"),
        ({"invalidity_date": dt.datetime(2999, 1, 1, tzinfo=dt.UTC)}, "invalidity_date"),
    ],
)
def test_grounds_that_a_revocation_would_be_refused_for(world, changes, field):
    rows_like(world, 1)
    with pytest.raises(Invalid) as error:
        ask(**changes)
    assert field in error.value.fields
    assert not MassRevocation.objects.exists()


# --- dual control -------------------------------------------------------------------------------------------------------


def test_one_approver_is_not_enough_and_the_requester_is_none(world):
    rows_like(world, 2)
    view = ask()
    with pytest.raises(Forbidden):
        approve(view, "user:1")
    approve(view, "user:2")
    with pytest.raises(Conflict):
        approve(view, "user:2")
    with pytest.raises(Conflict):
        mass_revocation.start_mass_revocation(view.id, actor_ref="user:1")
    assert (mass_revocation.mass_revocation(view.id).state, execution.run(view.id)) == ("requested", False)
    assert not Certificate.objects.filter(status="revoked").exists()
    approve(view, "user:3")
    view = mass_revocation.start_mass_revocation(view.id, actor_ref="user:1")
    assert (view.state, view.approver_refs) == ("running", ("user:2", "user:3"))


def test_an_approval_starts_it_once(world):
    rows_like(world, 2)
    view = started()
    for _ in range(2):
        with pytest.raises(Conflict):
            mass_revocation.start_mass_revocation(view.id, actor_ref="user:1")
        run(view)


def test_another_document_is_refused(world):
    rows_like(world, 2)
    view = ask()
    with pytest.raises(Conflict):
        approvals.decide(
            request_id=view.approval_request_id,
            approver_ref="user:2",
            decision=Decision.APPROVED,
            document_sha256=ask().document_sha256,
        )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE pki_massrevocation SET reason = 'superseded'",
        "UPDATE pki_massrevocation SET total = total + 1",
        "UPDATE pki_massrevocation SET selection = '{}'",
        "UPDATE pki_massrevocation SET publish_crls = NOT publish_crls",
        "DELETE FROM pki_massrevocationmember WHERE certificate_id = "
        "(SELECT certificate_id FROM pki_massrevocationmember LIMIT 1)",
        "INSERT INTO pki_massrevocationmember SELECT m.id, c.id FROM pki_massrevocation m, pki_certificate c "
        "WHERE c.id NOT IN (SELECT certificate_id FROM pki_massrevocationmember) LIMIT 1",
    ],
)
def test_what_was_changed_after_the_approval_is_not_started(world, change):
    """By one who can pass the database's own guards."""
    rows_like(world, 3)
    view = ask()
    approve(view)
    with tampering() as cursor:
        cursor.execute(change)
        assert cursor.rowcount == 1
    with pytest.raises(Conflict) as error:
        mass_revocation.start_mass_revocation(view.id, actor_ref="user:1")
    assert error.value.code == "approval-other-document"
    assert not Certificate.objects.filter(status="revoked").exists()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE pki_massrevocation SET reason = 'superseded'",
        "UPDATE pki_massrevocation SET members_sha256 = 'x'",
        "DELETE FROM pki_massrevocation",
        "DELETE FROM pki_massrevocationmember",
        "UPDATE pki_massrevocationmember SET certificate_id = mass_revocation_id",
    ],
)
def test_the_database_refuses_to_change_what_was_asked_for(world, change):
    rows_like(world, 2)
    ask()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


def test_a_rejected_withdrawn_or_expired_request_is_not_started(world):
    rows_like(world, 2)
    rejected, withdrawn, expired = ask(), ask(), ask()
    approvals.decide(
        request_id=rejected.approval_request_id,
        approver_ref="user:2",
        decision=Decision.REJECTED,
        document_sha256=rejected.document_sha256,
        justification="Fel urval",
    )
    approvals.withdraw(request_id=withdrawn.approval_request_id, requester_ref="user:1")
    with clock.moved_to(clock.now() + 31 * DAY):
        dual_control.expire()
    for view, state in ((rejected, "rejected"), (withdrawn, "withdrawn"), (expired, "expired")):
        assert mass_revocation.mass_revocation(view.id).state == state
        with pytest.raises(Conflict):
            mass_revocation.start_mass_revocation(view.id, actor_ref="user:1")


def test_one_whose_approval_is_too_old_says_so_before_that_is_closed(world):
    rows_like(world, 2)
    asked, approved = ask(), ask()
    for person in ("user:2", "user:3"):
        approvals.decide(
            request_id=approved.approval_request_id,
            approver_ref=person,
            decision=Decision.APPROVED,
            document_sha256=approved.document_sha256,
        )
    assert [mass_revocation.mass_revocation(view.id).state for view in (asked, approved)] == ["requested", "approved"]
    with clock.moved_to(clock.now() + 31 * DAY):
        assert [mass_revocation.mass_revocation(view.id).state for view in (asked, approved)] == ["expired", "expired"]
        assert {view.state for view in mass_page().lines} == {"expired"}
        with pytest.raises(Conflict):
            mass_revocation.start_mass_revocation(approved.id, actor_ref="user:1")


def mass_page(cursor=None, limit=10):
    return mass_revocation.mass_revocations().page(Order("", descending=True), (), cursor, limit)


def test_looking_reads_no_long_lists(world):
    rows_like(world, 2)
    view = ask()
    with CaptureQueriesContext(connection) as queries:
        mass_revocation.mass_revocation(view.id)
        mass_page()
    assert not [each["sql"] for each in queries if '"pki_massrevocation"."selection"' in each["sql"]]


def test_an_unknown_one(db):
    for act in (
        lambda id_: mass_revocation.mass_revocation(id_),
        lambda id_: mass_revocation.start_mass_revocation(id_, actor_ref="user:1"),
        lambda id_: mass_revocation.stop_mass_revocation(id_, actor_ref="user:1", justification="x"),
    ):
        with pytest.raises(NotFound):
            act(uuid.uuid4())


def test_the_list_is_newest_first_and_goes_on_after_a_key(world, django_assert_max_num_queries):
    rows_like(world, 1)
    ids = [ask().id for _ in range(5)]
    with django_assert_max_num_queries(4):
        page = mass_page(limit=2)
    assert [view.id for view in page.lines] == ids[:2:-1]
    assert [view.id for view in mass_page(Cursor(str(page.next))).lines] == ids[2::-1]


# --- carrying out -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(execution, "BATCH", 10)


def test_crl_and_ocsp_agree_with_the_database_afterwards(world, small_batches):
    wanted = [*rows_like(world, 23), *rows_like(world, 9, world.second)]
    kept = rows_like(world, 4, client_ref="client:1")
    presigning.presign_due()
    building.publish_online()
    view = started(MassSelection(serials=tuple(row.serial for row in wanted)))
    view = run(view)
    assert (view.state, view.done, view.revoked) == ("finished", 32, 32)
    assert view.rate > 0
    for ca in (world.first, world.second):
        found = listed(ca)
        for row in Certificate.objects.filter(ca=ca):
            answer = told(row)
            if row.status == CertificateStatus.REVOKED:
                assert answer == ("REVOKED", *found[int(row.serial, 16)])
            else:
                assert answer is None or answer[0] == "GOOD"
                assert int(row.serial, 16) not in found
        assert len(found) == Certificate.objects.filter(ca=ca, status="revoked").count()
    assert {told(row)[0] for row in kept} == {"GOOD"}
    assert view.report["ocsp_waiting"] == 0
    newest = {f"{ca.slug}:1": Crl.objects.filter(ca=ca).latest("number").number for ca in (world.first, world.second)}
    assert view.report["crl_numbers"] == newest
    assert view.report["differences"] == {"members": 0, "passed": 0, "revoked_meanwhile": 0, "not_revoked": 0}


def test_what_was_revoked_otherwise_is_told_apart(world, small_batches):
    rows = rows_like(world, 12)
    revoke = lambda row, reason: plan_revocation(  # noqa: E731
        [row.id], reason=reason, actor_ref="user:9", received_at=clock.now(), channel="portal"
    )
    with transaction.atomic():
        revoke(rows[0], "superseded")  # before the request: becomes keyCompromise
        revoke(rows[1], "keyCompromise")  # before the request: stays
    view = ask()
    assert (view.total, view.revocable) == (12, 10)
    with transaction.atomic():
        revoke(rows[2], "keyCompromise")  # after it
    Certificate.objects.filter(id=rows[3].id).update(status="issued")
    approve(view)
    mass_revocation.start_mass_revocation(view.id, actor_ref="user:1")
    view = run(view)
    assert (view.revoked, view.changed, view.unchanged, view.failed, view.done) == (9, 1, 2, 0, 12)
    assert view.report["differences"]["revoked_meanwhile"] == 1
    assert Revocation.objects.filter(approval_request=view.approval_request_id).count() == 10
    assert Revocation.objects.filter(certificate=rows[2]).get().requester == "user:9"


def test_reserved_ones_are_revoked_and_those_that_failed_meanwhile_left(world, small_batches):
    rows = rows_like(world, 4, status="reserved", issued_at=None)
    view = ask()
    Certificate.objects.filter(id=rows[0].id).update(status="failed")
    approve(view)
    mass_revocation.start_mass_revocation(view.id, actor_ref="user:1")
    view = run(view)
    assert (view.revoked, view.failed) == (3, 1)
    assert sorted(Certificate.objects.filter(ca=world.first, issued_at=None).values_list("status", flat=True)) == [
        "failed", "revoked", "revoked", "revoked",
    ]  # fmt: skip


def test_without_the_flag_the_crl_waits_for_its_period(world):
    rows_like(world, 2)
    view = run(started(publish_crls=False))
    assert (view.state, view.report["crl_numbers"]) == ("finished", {})
    assert not Crl.objects.exists()


def test_a_stop_holds_after_the_batch_and_goes_on_where_it_was(world, small_batches, monkeypatch):
    rows_like(world, 35)
    view = started()
    monkeypatch.setattr(execution, "TURN_SECONDS", 0.0001)  # one batch a turn
    assert execution.run(view.id)
    assert execution.run(view.id)
    with pytest.raises(Invalid):
        mass_revocation.stop_mass_revocation(view.id, actor_ref="user:5", justification=" ")
    view = mass_revocation.stop_mass_revocation(view.id, actor_ref="user:5", justification="Fel lista?")
    assert (view.state, view.done) == ("stopped", 20)
    assert not execution.run(view.id)
    assert execution.wake_due() == 0
    assert Certificate.objects.filter(status="revoked").count() == 20
    with pytest.raises(Conflict):
        mass_revocation.stop_mass_revocation(view.id, actor_ref="user:5", justification="Igen")
    mass_revocation.start_mass_revocation(view.id, actor_ref="user:6")
    view = run(view)
    assert (view.state, view.revoked, Revocation.objects.count()) == ("finished", 35, 35)
    events = Event.objects.filter(subject_ref=str(view.id)).order_by("id").values_list("action", "actor_ref")
    assert list(events) == [
        ("mass_revocation.requested", "user:1"),
        ("mass_revocation.started", "user:1"),
        ("mass_revocation.stopped", "user:5"),
        ("mass_revocation.continued", "user:6"),
        ("mass_revocation.finished", "system:mass-revocation"),
    ]
    with pytest.raises(Conflict):
        mass_revocation.stop_mass_revocation(view.id, actor_ref="user:5", justification="Sent")


def test_a_crl_that_cannot_be_made_is_tried_again(world):
    rows_like(world, 2)
    view = started()
    building.crl_path(world.first).mkdir(parents=True)  # where the file should be
    view = run(view)
    building.crl_path(world.first).rmdir()
    assert (view.state, view.failure, view.report) == ("publishing", "person-hsaid-3:1 IsADirectoryError", None)
    assert execution.wake_due() == 0  # not at once
    with clock.moved_to(clock.now() + dt.timedelta(minutes=2)):
        assert execution.wake_due() == 1
        view = run(view)
    assert (view.state, view.failure) == ("finished", "")
    assert len(listed(world.first)) == 2


def test_a_token_that_is_away_holds_the_end_up_and_nothing_is_good(world, monkeypatch):
    rows = rows_like(world, 3)
    presigning.presign_due()
    view = started(publish_crls=False)
    with monkeypatch.context() as patched:
        patched.setattr(presigning, "presign", lambda _ids: (_ for _ in ()).throw(HsmUnavailable("away")))
        view = run(view)
    assert (view.state, view.revoked, view.failure, view.report) == ("publishing", 3, "OCSP HsmUnavailable", None)
    assert {told(row) for row in rows} == {None}
    MassRevocation.objects.filter(id=view.id).update(claimed_until=None)  # as if a minute had passed
    view = run(view)
    assert (view.state, view.failure, view.report["ocsp_waiting"]) == ("finished", "", 0)
    assert {told(row)[0] for row in rows} == {"REVOKED"}


def test_a_ca_without_a_responder_does_not_hold_the_end_up(world):
    rows_like(world, 3)
    OcspSigner.objects.filter(ca=world.first).update(retired_at=clock.now())
    view = run(started())
    assert (view.state, view.report["ocsp_waiting"]) == ("finished", 3)
    assert len(listed(world.first)) == 3


def test_all_are_revoked_before_the_first_answer_is_signed(world, small_batches, monkeypatch):
    """From its revocation on nothing is good: what takes long comes last."""
    rows_like(world, 25)
    view, left = started(), []
    presign = presigning.presign

    def watched(ids):
        left.append(Certificate.objects.filter(ca=world.first, status="issued", subject_ref="", profile_version=None).count())
        assert len(listed(world.first)) == 25
        return presign(ids)

    monkeypatch.setattr(presigning, "presign", watched)
    run(view)
    assert left == [left[0]] * 3
    assert left[0] == 1  # the responder's own


def test_the_sweeper_signs_revoked_ones_before_those_that_were_just_issued(world):
    fresh = rows_like(world, 6)
    row = rows_like(world, 1)[0]  # by its id the last
    with transaction.atomic():
        plan_revocation([row.id], reason="superseded", actor_ref="user:1", received_at=clock.now(), channel="portal")
    assert presigning.presign_due(limit=1) >= 1
    assert told(row)[0] == "REVOKED"
    assert OcspResponse.objects.filter(certificate__in=fresh).count() == 0


def test_a_named_responder_is_revoked_and_replaced(world, monkeypatch):
    signer, sent = OcspSigner.objects.get(ca=world.first), []
    Certificate.objects.filter(id=signer.certificate_id).update(subject_ref=f"ocsp:{signer.key_id}")
    monkeypatch.setattr(jobs, "_wake", lambda name, queue, ids: sent.append((name, queue)))
    view = started(MassSelection(serials=(signer.certificate.serial,)))
    run(view)
    signer.certificate.refresh_from_db()
    assert signer.certificate.status == "revoked"
    assert ("pki.renew_responders", "pki") in sent


def test_listeners_hear_in_the_default_worker(world, monkeypatch):
    rows, heard, sent = rows_like(world, 3), [], []
    monkeypatch.setattr(jobs, "_wake", lambda name, queue, ids: sent.append((name, queue, ids)))
    certificate_revoked.connect(lambda certificate_ids, **_: heard.extend(certificate_ids), weak=False, dispatch_uid="test")
    try:
        run(started())
        assert heard == []
        ((ids,),) = [(each[2]["certificate_ids"],) for each in sent if each[:2] == ("pki.tell_revoked", "default")]
        tasks.tell_revoked(ids)
        assert set(heard) == {row.id for row in rows}
    finally:
        certificate_revoked.disconnect(dispatch_uid="test")


# --- size ---------------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(900)
def test_thousands_in_bounded_batches(world, monkeypatch):
    """Every batch takes the same few queries and holds few rows, and twelve of them revoke it all."""
    count, batch = 6_000, 500
    rows_like(world, count // 2)
    rows_like(world, count // 2, world.second)
    monkeypatch.setattr(presigning, "presign", lambda _ids: 0)  # none can be signed
    view = started(MassSelection(cas=(FIRST, SECOND)), publish_crls=False)
    assert view.total == count
    superuser.analyze()  # a plan for the empty tables of the test before would ask each row about each
    queries, sizes = [], []
    monkeypatch.setattr(execution, "TURN_SECONDS", 0.0001)
    take = execution._take

    def measured(row, ids):
        sizes.append(len(ids))
        return take(row, ids)

    monkeypatch.setattr(execution, "_take", measured)
    more = True
    while more:
        with CaptureQueriesContext(connection) as captured:
            more = execution.run(view.id)
        queries.append(len([each for each in captured if not each["sql"].startswith(("BEGIN", "COMMIT"))]))
    view = mass_revocation.mass_revocation(view.id)
    assert (view.state, view.revoked, sizes) == ("finished", count, [batch] * (count // batch))
    # Claim, lock, members, certificates, records, one CA or two, update, events, progress, release.
    assert max(queries[:-1]) <= 16
    assert view.report["differences"] == {"members": 0, "passed": 0, "revoked_meanwhile": 0, "not_revoked": 0}
    assert Revocation.objects.count() == count
    assert Event.objects.filter(action="certificate.revoked").count() == count
    for ca in (world.first, world.second):
        ca.refresh_from_db()
        assert ca.status_version == count // 2
        versions = Certificate.objects.filter(ca=ca, status="revoked").values_list("status_version", flat=True)
        assert sorted(versions) == list(range(1, count // 2 + 1))


# --- at once ------------------------------------------------------------------------------------------------------------


def at_once(*acts):
    barrier, failures = threading.Barrier(len(acts)), []

    def work(act):
        try:
            barrier.wait(120)
            act()
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(act,)) for act in acts]
    [thread.start() for thread in threads]
    [thread.join(280) for thread in threads]
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []


def test_single_revocations_answers_and_issuance_go_on_beside_it(world, small_batches):
    """Two workers of the same one, single revocations in both orders, new certificates, answers, CRLs: no deadlock, all exact."""
    rows = [*rows_like(world, 120), *rows_like(world, 120, world.second)]
    view = started(MassSelection(cas=(FIRST, SECOND)))
    fresh: list[Certificate] = []

    def turns():
        while mass_revocation.mass_revocation(view.id).state != "finished":
            execution.run(view.id)

    def singles(order):
        for row in order:
            with transaction.atomic(durable=True):
                plan_revocation([row.id], reason="superseded", actor_ref="user:9", received_at=clock.now(), channel="portal")

    def pairs():
        for first, second in zip(rows[::7], reversed(rows), strict=False):
            with transaction.atomic(durable=True):
                plan_revocation(
                    {first.id, second.id}, reason="superseded", actor_ref="user:8", received_at=clock.now(), channel="portal"
                )

    def issue():
        for number in range(20):
            fresh.append(world.issue(world.first if number % 2 else world.second))
            presigning.presign_due(limit=20)

    at_once(turns, turns, lambda: singles(rows[::3]), lambda: singles(rows[::-4]), pairs, issue, building.publish_online)
    view = run(view)
    assert (view.state, view.done) == ("finished", len(rows))
    wanted = {row.id for row in rows}
    assert set(Certificate.objects.filter(status="revoked").values_list("id", flat=True)) == wanted
    assert not Certificate.objects.filter(id__in=[row.id for row in fresh], status="revoked").exists()
    # Each was revoked once, whoever came first; afterwards only the reason became worse.
    first = Event.objects.filter(action="certificate.revoked").values_list("subject_ref", flat=True)
    assert sorted(first) == sorted(str(id_) for id_ in wanted)
    assert set(Certificate.objects.filter(status="revoked").values_list("reason", flat=True)) == {"keyCompromise"}
    assert view.revoked + view.changed == len(rows)
    assert view.report["differences"]["not_revoked"] == 0
    presigning.presign_due(limit=1000)
    for ca in (world.first, world.second):
        building.publish_crl(ca.id)
        found = listed(ca)
        for row in Certificate.objects.filter(ca=ca, status="revoked"):
            assert told(row) == ("REVOKED", *found[int(row.serial, 16)])


def test_workers_that_hold_no_claim_pass_no_certificate_twice(world, small_batches, monkeypatch):
    """The claim spares work; that nothing is done twice does not hang on it."""
    rows = rows_like(world, 90)
    view = started(publish_crls=False)
    monkeypatch.setattr(execution, "_claim", lambda _id: clock.now())
    at_once(*[lambda: run(view)] * 4)
    assert Revocation.objects.count() == Event.objects.filter(action="certificate.revoked").count() == len(rows)
    assert mass_revocation.mass_revocation(view.id).revoked == len(rows)


def test_one_at_a_time_and_a_claim_that_ran_out_is_taken_over(world, small_batches):
    rows_like(world, 5)
    rows_like(world, 5, world.second)
    first, second = started(), started(MassSelection(cas=(SECOND,)))
    MassRevocation.objects.filter(id=first.id).update(claimed_until=clock.now() + dt.timedelta(seconds=60))
    assert not execution.run(first.id)
    assert not execution.run(second.id)
    assert not Certificate.objects.filter(status="revoked").exists()
    with clock.moved_to(clock.now() + dt.timedelta(seconds=61)):
        assert execution.wake_due() == 2
        assert run(first).state == run(second).state == "finished"


def test_a_stop_and_a_batch_at_once_leave_an_exact_count(world, small_batches, monkeypatch):
    """The stop comes in the midst of a batch, and waits for it."""
    rows_like(world, 60)
    view = started()
    take, taken, begun = execution._take, [], threading.Event()

    def watched(row, ids):
        taken.append(ids)
        if len(taken) >= 3:
            begun.set()
            wait_for(lambda: sessions_waiting() >= 1, "the stop to wait for the batch")
        return take(row, ids)

    monkeypatch.setattr(execution, "_take", watched)

    def stop():
        assert begun.wait(150)
        mass_revocation.stop_mass_revocation(view.id, actor_ref="user:5", justification="Prov")

    at_once(lambda: run(view), stop)
    view = mass_revocation.mass_revocation(view.id)
    assert (view.state, view.done >= 30) == ("stopped", True)
    assert view.done == Certificate.objects.filter(status="revoked").count() == Revocation.objects.count()
