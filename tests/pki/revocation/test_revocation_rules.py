"""Revocation (F5) as a table: every status, every reason, every second request; and what the request itself must say."""

import datetime as dt
import itertools

import pytest
from cryptography import x509
from django.db import DatabaseError, connection, transaction

from pki.crl import building
from pki.models import Certificate, Event, Revocation, RevocationReason
from pki.revocation.revoking import RevocationRequest, RevocationResult, SourceRecord, plan_revocation, revoke
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid

DAY = dt.timedelta(days=1)
HOLDER = ["unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn"]
OFFERED = [*HOLDER, "cACompromise"]
# RFC 5280 section 5.3.1 names these too; they would make a revocation end, or are of other lists.
NOT_OFFERED = ["certificateHold", "removeFromCRL", "aACompromise", "weakAlgorithmOrKey", "", "KEYCOMPROMISE", "1"]
STATUSES = ["reserved", "issued", "failed"]
INVALIDITY = [None, 3, 9]  # days ago


def ask(reason="superseded", *, received=None, days=None, **changes) -> RevocationRequest:
    values = {"actor_ref": "user:1", "received_at": received or clock.now(), "channel": "portal"} | changes
    return RevocationRequest(reason, invalidity_date=clock.now() - days * DAY if days else None, **values)


def take(request, *rows) -> RevocationResult:
    with transaction.atomic(durable=True):
        return revoke([row.id for row in rows], request)


def copies(world, count, **changes) -> list[Certificate]:
    """Rows like an issued certificate's, many at once."""
    pattern = world.issue()
    made = [
        Certificate(
            ca=world.first,
            serial=f"{number:030X}",
            not_before=pattern.not_before,
            not_after=pattern.not_after,
            created_at=clock.now(),
            **({"status": "issued", "issued_at": clock.now()} | changes),
        )
        for number in range(1, count + 1)
    ]
    return Certificate.objects.bulk_create(made)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(("reason", "days"), list(itertools.product(HOLDER, INVALIDITY)))
def test_the_first_request(world, status, reason, days):
    row = world.issue(status=status)
    request = ask(reason, days=days)
    outcome = take(request, row)
    row.refresh_from_db()
    if status == "failed":
        assert (outcome, row.status, row.revoked_at, row.reason) == (RevocationResult(failed=1), "failed", None, "")
        assert Revocation.objects.count() == Event.objects.count() == 0
        return
    assert outcome == RevocationResult(revoked=[row.id])
    assert (row.status, row.reason, row.invalidity_date) == ("revoked", reason, request.invalidity_date)
    record = Revocation.objects.get()
    assert (record.effective_at, record.decided_at) == (row.revoked_at, row.revoked_at)
    assert record.received_at == request.received_at <= record.decided_at


def after(first, first_days, second, second_days):
    """What F5.1 says of a second request: reason and days since the invalidity date, and whether that is a change.

    Written out apart from the code: a reason becomes keyCompromise and nothing else; the date only moves back.
    """
    reason = "keyCompromise" if second == "keyCompromise" else first
    days = max(first_days or 0, second_days or 0) or None
    return reason, days, (reason, days) != (first, first_days)


def test_every_second_request(world):
    """6 reasons and 3 invalidity dates twice: 324 pairs, each on a certificate of its own."""
    firsts = list(itertools.product(HOLDER, INVALIDITY))
    pairs = list(itertools.product(firsts, firsts))
    rows = copies(world, len(pairs))
    now = clock.now()
    with clock.moved_to(now):
        for (first, days), group in by(zip(rows, pairs, strict=True), lambda each: each[1][0]):
            take(ask(first, days=days), *(row for row, _ in group))
        before = dict(Certificate.objects.values_list("id", "revoked_at"))
        for (second, days), group in by(zip(rows, pairs, strict=True), lambda each: each[1][1]):
            with clock.moved_to(now + dt.timedelta(hours=1)):
                # Days before the first request, so that equal dates are equal.
                request = RevocationRequest(
                    second, "user:2", clock.now(), "phone", invalidity_date=now - days * DAY if days else None
                )
                outcome = take(request, *(row for row, _ in group))
            expected = {row.id for row, (first, _) in group if after(*first, second, days)[2]}
            assert (set(outcome.changed), outcome.revoked, outcome.failed) == (expected, [], 0)
            assert outcome.unchanged == len(group) - len(expected)
    stored = Certificate.objects.in_bulk([row.id for row in rows])
    records = {row.id: list(row.revocations.order_by("id")) for row in rows}
    for row, (first, second) in zip(rows, pairs, strict=True):
        reason, days, changed = after(*first, *second)
        current = stored[row.id]
        assert (current.status, current.revoked_at) == ("revoked", before[row.id])
        assert (current.reason, current.invalidity_date) == (reason, now - days * DAY if days else None), (first, second)
        assert len(records[row.id]) == 1 + changed
        assert {each.effective_at for each in records[row.id]} == {current.revoked_at}
        if changed:
            assert (records[row.id][1].reason, records[row.id][1].requester) == (reason, "user:2")
    assert len({row.status_version for row in stored.values()}) == len(rows)


def by(pairs, key):
    ordered = sorted(pairs, key=lambda each: (key(each)[0], key(each)[1] or 0))
    return [(name, list(group)) for name, group in itertools.groupby(ordered, key=key)]


def test_a_third_request_cannot_undo_the_second(world):
    row = world.issue()
    take(ask("superseded"), row)
    take(ask("keyCompromise", days=9), row)
    for reason, days in itertools.product(HOLDER, INVALIDITY):
        assert take(ask(reason, days=days), row) == RevocationResult(unchanged=1), (reason, days)


@pytest.mark.parametrize("status", [*STATUSES, "revoked"])
@pytest.mark.parametrize("reason", NOT_OFFERED)
def test_reasons_that_are_not_on_offer(world, status, reason):
    row = world.issue(**({"status": status} if status != "revoked" else {}))
    if status == "revoked":
        take(ask(), row)
    before = Certificate.objects.values().get(id=row.id)
    with pytest.raises(Invalid) as error:
        ask(reason)
    assert "reason" in error.value.fields
    assert Certificate.objects.values().get(id=row.id) == before


def test_the_table_has_every_reason_on_offer():
    assert sorted(RevocationReason.values) == sorted(OFFERED)


# --- cACompromise -------------------------------------------------------------------------------------------------------


def ca_certificate(world):
    serial = x509.load_der_x509_certificate(bytes(world.first.certificate_der)).serial_number
    return Certificate.objects.get(ca=world.root, serial=f"{serial:X}".zfill(len(f"{serial:X}") + len(f"{serial:X}") % 2))


def test_ca_compromise_is_for_ca_certificates_alone(world):
    ca, holder = ca_certificate(world), world.issue()
    for rows in ([holder], [ca, holder]):
        with pytest.raises(Invalid) as error:
            take(ask("cACompromise"), *rows)
        assert "reason" in error.value.fields
    assert not Certificate.objects.filter(status="revoked").exists()
    take(ask("superseded"), ca)
    assert take(ask("cACompromise"), ca).changed == [ca.id]
    # One compromise is not another's correction.
    assert take(ask("keyCompromise"), ca) == RevocationResult(unchanged=1)
    building.publish_crl(world.root.id)
    (entry,) = x509.load_der_x509_crl(building.crl_path(world.root).read_bytes())
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == x509.ReasonFlags.ca_compromise


def test_a_client_cannot_pass_its_certificate_off_as_a_cas(world):
    row = world.issue(subject_ref="ca:person-hsaid-3:1")
    with pytest.raises(Invalid):
        take(ask("cACompromise"), row)


# --- the CRL entry ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", HOLDER)
def test_unspecified_leaves_the_extension_out(world, reason):
    row = world.issue()
    take(ask(reason, days=3), row)
    row.refresh_from_db()
    building.publish_crl(world.first.id)
    (entry,) = x509.load_der_x509_crl(building.crl_path(world.first).read_bytes())
    assert entry.revocation_date_utc == row.revoked_at.replace(microsecond=0)
    names = {type(extension.value).__name__ for extension in entry.extensions}
    assert names == ({"InvalidityDate"} if reason == "unspecified" else {"InvalidityDate", "CRLReason"})
    assert not any(extension.critical for extension in entry.extensions)


# --- the record ---------------------------------------------------------------------------------------------------------


def test_a_request_on_paper_is_entered_with_its_own_time_and_place(world):
    """Written down while the portal was out (rules/pki 4.3), entered afterwards."""
    row, written = world.issue(), clock.now() - dt.timedelta(hours=30)
    paper = SourceRecord(registered_by="SE2321000016-1003", kept_at="Arkiv B, pärm 7, blad 12")
    with transaction.atomic(durable=True):
        plan_revocation(
            [row.id],
            reason="affiliationChanged",
            actor_ref="user:1",
            received_at=written,
            channel="paper",
            requester="person:7",
            source_record=paper,
            invalidity_date=written - DAY,
            justification="Avbrott i januari",
        )
    row.refresh_from_db()
    record = Revocation.objects.get()
    assert (record.received_at, record.invalidity_date) == (written, written - DAY)
    assert record.effective_at == record.decided_at == row.revoked_at > written + dt.timedelta(hours=29)
    assert (record.requester, record.actor_ref, record.channel) == ("person:7", "user:1", "paper")
    assert record.source_record == {"registered_by": "SE2321000016-1003", "kept_at": "Arkiv B, pärm 7, blad 12"}
    facts = Event.objects.get().facts
    assert (facts["source_record"], facts["requester"]) == (record.source_record, "person:7")
    assert dt.datetime.fromisoformat(facts["received_at"]) == written


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"channel": "paper"}, {"registered_by", "kept_at"}),
        ({"channel": "paper", "source_record": SourceRecord("", "Arkivet")}, {"registered_by"}),
        ({"channel": "paper", "source_record": SourceRecord("user:2", " ")}, {"kept_at"}),
        ({"source_record": SourceRecord("user:2", "x" * 201)}, {"kept_at"}),
        ({"channel": "letter"}, {"channel"}),
        ({"channel": ""}, {"channel"}),
        ({"justification": "x" * 1001}, {"justification"}),
        ({"requester": "x" * 201}, {"requester"}),
    ],
)
def test_what_a_request_must_say(changes, fields):
    with pytest.raises(Invalid) as error:
        ask(**changes)
    assert set(error.value.fields) == fields


@pytest.mark.parametrize("channel", ["portal", "api", "phone", "paper", "system"])
def test_the_channels(world, channel):
    row = world.issue()
    take(ask(channel=channel, source_record=SourceRecord("user:2", "Arkivet") if channel == "paper" else None), row)
    assert Revocation.objects.get().channel == channel


def test_who_asked_is_who_acts_unless_another_is_named(world):
    first, second = world.issue(), world.issue()
    take(ask(), first)
    take(ask(requester="person:7"), second)
    assert list(Revocation.objects.order_by("id").values_list("requester", "actor_ref")) == [
        ("user:1", "user:1"),
        ("person:7", "user:1"),
    ]


# --- what the database refuses ------------------------------------------------------------------------------------------


def refused(row, **changes) -> bool:
    try:
        with transaction.atomic():
            Certificate.objects.filter(id=row.id).update(**changes)
    except DatabaseError:
        return True
    return False


def test_the_database_knows_the_order_of_statuses(world):
    """Every pair of statuses: only what rules/pki 4.1 allows goes through, whoever writes it."""
    allowed = {("reserved", "issued"), ("reserved", "revoked"), ("reserved", "failed"), ("issued", "revoked")}
    statuses = ["reserved", "issued", "failed", "revoked"]
    for start, end in itertools.product(statuses, statuses):
        row = world.issue(status="issued" if start == "revoked" else start)
        if start == "revoked":
            take(ask(), row)
        ended = {"revoked_at": clock.now(), "reason": "superseded"} if end == "revoked" else {"revoked_at": None, "reason": ""}
        if start == end:
            continue
        assert refused(row, status=end, **ended) == ((start, end) not in allowed), (start, end)


def test_the_database_lets_a_revocation_only_worsen(world):
    row = world.issue()
    take(ask("superseded", days=3), row)
    row.refresh_from_db()
    since = row.invalidity_date
    for changes in (
        {"reason": "affiliationChanged"},
        {"reason": "unspecified"},
        {"invalidity_date": since + DAY},
        {"invalidity_date": None},
    ):
        assert refused(row, **changes), changes
    assert not refused(row, reason="keyCompromise", invalidity_date=since - DAY)
    assert refused(row, reason="superseded")
    assert refused(row, reason="cACompromise")


def test_a_record_received_after_its_decision_is_refused(world):
    row = world.issue()
    take(ask(), row)
    record = Revocation.objects.get()
    record.pk, record.received_at = None, record.decided_at + DAY
    with pytest.raises(DatabaseError), transaction.atomic():
        record.save(force_insert=True)


def test_revoking_takes_no_more_queries_for_more_certificates(world, django_assert_max_num_queries):
    few, many = copies(world, 2), []
    pattern = few[0]
    for number in range(1000, 1400):
        many.append(
            Certificate(
                ca=world.second if number % 2 else world.first,
                serial=f"{number:030X}",
                status="issued",
                issued_at=clock.now(),
                created_at=clock.now(),
                not_before=pattern.not_before,
                not_after=pattern.not_after,
            )
        )
    Certificate.objects.bulk_create(many)
    with django_assert_max_num_queries(12, connection=connection):
        outcome = take(ask(), *few, *many)
    assert len(outcome.revoked) == 402
