"""Revoking by the API: final, repeatable, recorded as what a client asked for."""

import datetime as dt
import threading

import pytest

from pki.models import Certificate, Event, Revocation, RevocationReason
from siths_portal.lib import clock
from tests.pki.clients.service import code, issued, names

pytestmark = pytest.mark.django_db(transaction=True)
DAY = dt.timedelta(days=1)


def test_a_revocation_is_recorded_with_its_client_channel_and_times(api, a) -> None:
    row, received = issued(api.pki), clock.now() - DAY
    answer = a.revoke(
        row, reason="keyCompromise", received_at=received.isoformat(), invalidity_date="2026-01-02T03:04:05+01:00",
        justification="Nyckeln låg öppet.",
    )  # fmt: skip
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["issuer"], body["serial"], body["reason"]) == ("function", row.serial, "keyCompromise")
    assert dt.datetime.fromisoformat(body["invalidity_date"]) == dt.datetime(2026, 1, 2, 2, 4, 5, tzinfo=dt.UTC)
    row.refresh_from_db()
    assert dt.datetime.fromisoformat(body["revoked_at"]) == row.revoked_at
    record = Revocation.objects.get()
    assert (record.requester, record.channel, record.reason) == ("client:a", "api", "keyCompromise")
    assert (record.received_at, record.effective_at) == (received, row.revoked_at)
    assert record.justification == "Nyckeln låg öppet."
    assert Event.objects.get(action="certificate.revoked").actor_ref == "client:a"
    read = a.read(row).json()
    assert (read["status"], read["revocation"]["reason"]) == ("revoked", "keyCompromise")
    assert read["certificate"], "it can be read for as long as it is known"


def test_again_changes_only_what_may_still_change(api, a) -> None:
    row = issued(api.pki)
    first = a.revoke(row, key="k", reason="superseded").json()
    assert a.revoke(row, key="k", reason="superseded").json() == first
    assert a.revoke(row, reason="privilegeWithdrawn").json() == first
    later = a.revoke(row, reason="keyCompromise").json()
    assert later == first | {"reason": "keyCompromise"}
    assert a.revoke(row, reason="superseded").json() == later
    assert Revocation.objects.count() == 2
    other = a.revoke(row, key="k", reason="keyCompromise")
    assert (other.status_code, code(other)) == (422, "idempotency-key-reused")


def test_eight_revocations_at_once_are_one(api, a) -> None:
    from django.db import connection

    row, answers = issued(api.pki), []

    def work() -> None:
        answers.append(a.revoke(row, reason="superseded"))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert Revocation.objects.count() == 1


def test_reasons_that_a_client_does_not_have_are_refused(api, a, subtests: pytest.Subtests) -> None:
    """One certificate for all, since none of them may revoke it."""
    row = issued(api.pki)
    for reason in ("cACompromise", "certificateHold", "removeFromCRL", "aACompromise", "", 4, True, None):
        with subtests.test(reason=reason):
            answer = a.revoke(row, reason=reason)
            assert (answer.status_code, names(answer)) == (422, ["reason"])
            row.refresh_from_db()
            assert row.status == "issued"


def test_every_other_reason_is_taken(api, a) -> None:
    for number, reason in enumerate(value for value in RevocationReason.values if value != "cACompromise"):
        row = issued(api.pki, f"function:{number}")
        assert a.revoke(row, reason=reason).json()["reason"] == reason


BROKEN_RULES = [
    ({"received_at": "2999-01-01T00:00:00Z"}, "received_at"),
    ({"invalidity_date": "2999-01-01T00:00:00Z"}, "invalidity_date"),
    ({"invalidity_date": "1999-12-31T23:59:59Z"}, "invalidity_date"),
    ({"received_at": "yesterday"}, "received_at"),
    ({"justification": "x" * 1001}, "justification"),
    ({"justification": "a\x00b"}, "justification"),
    ({"serial": "xyz"}, "serial"),
    ({"channel": "portal"}, "channel"),
]


def test_what_breaks_a_rule_is_422_and_names_the_field(api, a, subtests: pytest.Subtests) -> None:
    """One certificate for all, since none of the requests may revoke it."""
    row = issued(api.pki)
    for number, (changes, field) in enumerate(BROKEN_RULES):
        with subtests.test(number=number):
            answer = a.revoke(row, **changes)
            assert (answer.status_code, names(answer)) == (422, [field])
            row.refresh_from_db()
            assert row.status == "issued"


def test_a_certificate_that_is_revoked_before_it_is_signed_is_never_made(api, a) -> None:
    answer = a.order()
    row = Certificate.objects.select_related("ca").get(client_ref="a")
    assert a.revoke(row).status_code == 200
    api.pki.settle()
    read = a("GET", answer.headers["Location"]).json()
    assert (read["status"], read["certificate"]) == ("revoked", None)


def test_what_was_never_made_cannot_be_revoked(api, a) -> None:
    a.order()
    Certificate.objects.filter(client_ref="a").update(status="failed")
    answer = a.revoke(Certificate.objects.select_related("ca").get(client_ref="a"))
    assert (answer.status_code, code(answer)) == (409, "certificate-failed")


def test_the_serial_may_be_written_in_lower_case(api, a) -> None:
    row = issued(api.pki)
    assert a.revoke(row, serial=row.serial.lower()).json()["serial"] == row.serial
