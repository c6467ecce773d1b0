"""What `pki_revoke` takes of a request: who asked, how and when, the paper, and since when the key was bad
(rules/pki 4.2, 4.3)."""

import datetime as dt

import pytest
from cryptography import x509

from pki.crl import building
from pki.models import Event, Revocation
from siths_portal.lib import clock
from tests.pki.revocation.test_status_commands import run

RECEIVED, BAD = "2026-01-02T03:04:05", "2026-01-01T00:00"
PAPER = ["--channel", "paper", "--received-at", RECEIVED, "--registered-by", "user:9", "--kept-at", "Pärm 4"]


def revoke(row, *options, reason="superseded"):
    return run("pki_revoke", "--ca", row.ca.slug, "--serial", row.serial, "--reason", reason, *options)


def test_a_request_on_paper_is_recorded_with_its_paper(world):
    row = world.issue()
    assert revoke(row, *PAPER, "--requester", "person:7", "--justification", "Blankett 12")[2] == 0
    record = Revocation.objects.get()
    assert (record.channel, record.requester, record.justification) == ("paper", "person:7", "Blankett 12")
    assert record.actor_ref.startswith("operator:")
    assert record.source_record == {"registered_by": "user:9", "kept_at": "Pärm 4"}
    assert record.received_at == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=clock.STOCKHOLM)
    assert record.decided_at > record.received_at
    facts = Event.objects.get(action="certificate.revoked").facts
    assert (facts["requester"], facts["source_record"]["kept_at"]) == ("person:7", "Pärm 4")


def test_the_invalidity_date_stands_in_the_crl_and_the_revocation_keeps_its_own_time(world):
    row = world.issue()
    assert revoke(row, "--invalidity-date", BAD, reason="keyCompromise")[2] == 0
    row.refresh_from_db()
    assert row.invalidity_date == dt.datetime(2026, 1, 1, tzinfo=clock.STOCKHOLM)
    building.publish_online()
    (entry,) = x509.load_der_x509_crl(building.crl_path(world.first).read_bytes())
    assert entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc == row.invalidity_date
    assert entry.revocation_date_utc == row.revoked_at.replace(microsecond=0)


def test_a_second_request_sharpens_and_never_softens(world):
    row = world.issue()
    revoke(row)
    row.refresh_from_db()
    first = row.revoked_at
    assert revoke(row, "--invalidity-date", BAD, reason="keyCompromise")[2] == 0
    assert revoke(row, reason="cessationOfOperation")[2] == 0
    row.refresh_from_db()
    assert (row.reason, row.revoked_at) == ("keyCompromise", first)
    assert row.invalidity_date == dt.datetime(2026, 1, 1, tzinfo=clock.STOCKHOLM)
    assert Revocation.objects.count() == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--channel", "paper", "--registered-by", "user:9", "--kept-at", "Pärm 4"], "Ange när begäran på papper kom in."),
        (["--channel", "paper", "--received-at", RECEIVED], "--registered-by: "),
        (["--channel", "paper", "--received-at", RECEIVED, "--registered-by", "user:9"], "--kept-at: "),
        (["--channel", "phone", "--kept-at", "Pärm 4"], "--registered-by: "),
        (["--invalidity-date", "2999-01-01T00:00"], "--invalidity-date: Ange en tid som har varit."),
        (["--received-at", "2999-01-01T00:00"], "--received-at: Ange en tid som har varit."),
        (["--requester", "x" * 201], "--requester: Högst 200 tecken."),
        (["--justification", "x" * 1001], "--justification: Högst 1000 tecken."),
        (["--channel", "pigeon"], "--channel"),
        (["--received-at", "igår"], "--received-at"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_does_not_hold_is_refused_and_nothing_is_revoked(world, options, message):
    row = world.issue()
    _, error, code = revoke(row, *options)
    assert code == 1
    assert message in error
    row.refresh_from_db()
    assert row.status == "issued"
    assert not Revocation.objects.exists()


def test_ca_compromise_is_for_cas_alone(world):
    row = world.issue()
    _, error, code = revoke(row, reason="cACompromise")
    assert (code, "Gäller bara utfärdares certifikat." in error) == (1, True)
    assert not Revocation.objects.exists()
