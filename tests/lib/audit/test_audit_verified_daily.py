"""The `pki` worker walks every chain once a day and keeps what it found, so that a broken chain shows in health by itself."""

import datetime as dt

import pytest
import structlog

from issuance.operators.queries.pki_health_words import CHAIN
from pki.domain.findings import Severity
from pki.health import checks
from pki.models import AuditCheck
from siths_portal import tasks
from siths_portal.celery import SCHEDULE
from siths_portal.lib import clock
from siths_portal.wiring import chains, verifying
from tests.lib.audit.audit_world import attacker, record, verify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("audit_token")]
APPS = {"authn", "billing", "issuance", "pki"}


@pytest.fixture
def chain():
    """Twelve sealed events of `pki` with their MACs, and a signed head."""
    record(12)
    tasks.seal()
    tasks.mac()
    tasks.head()
    tasks.seal()


def told(name):
    """The health finding about one chain."""
    (one,) = [each for each in checks.verified_chains() if each.subject == f"händelsekedja {name}"]
    return one


def test_every_chain_and_the_heads_are_walked_once_a_day_with_macs(chain):
    assert {each.app for each in chains.all_chains()} == APPS
    assert [each.severity for each in checks.verified_chains()] == [Severity.OK]
    tasks.verify()
    rows = {row.chain: row for row in AuditCheck.objects.all()}
    assert set(rows) == APPS | {"heads"} | {walk.name for walk in verifying.WALKS}
    assert {(row.ok, row.whole, row.actor_ref) for row in rows.values()} == {(True, True, "system:audit")}
    assert rows["pki"].macs == 12
    assert {each.severity for each in checks.verified_chains()} == {Severity.OK}
    tasks.verify()
    assert AuditCheck.objects.count() == len(rows)
    with clock.moved_to(clock.now() + dt.timedelta(hours=23)):
        tasks.verify()
    assert AuditCheck.objects.exclude(chain="revocations").count() == len(rows) - 1
    assert AuditCheck.objects.filter(chain="revocations").count() == 2, "walked at each run"
    with clock.moved_to(clock.now() + dt.timedelta(hours=25)):
        tasks.verify()
    assert AuditCheck.objects.exclude(chain="revocations").count() == 2 * len(rows) - 2
    assert set(rows) == set(CHAIN), "each has its words on Driftläge"
    assert SCHEDULE["audit.verify"] == ("audit.verify", 3600, "pki")


def test_a_broken_chain_is_logged_and_an_error_in_health_until_a_whole_walk_agrees(chain):
    tasks.verify()
    with attacker() as other:
        other.edit(5)
    tomorrow = clock.now() + dt.timedelta(hours=25)
    with clock.moved_to(tomorrow), structlog.testing.capture_logs() as lines:
        tasks.verify()
    (line,) = [each for each in lines if each["event"] == "audit.chain_broken"]
    assert (line["chain"], line["log_level"]) == ("pki", "error")
    assert "FEL vid sigill 5" in line["text"]
    assert (told("pki").severity, "FEL vid sigill 5" in told("pki").text) == (Severity.ERROR, True)
    assert told("authn").severity == Severity.OK
    verify("--app", "pki", "--from", "6")
    assert AuditCheck.objects.filter(chain="pki", ok=True, whole=False).exists()
    assert told("pki").severity == Severity.ERROR


def test_chains_that_nobody_walks_any_more_are_to_be_looked_at(chain):
    tasks.verify()
    with clock.moved_to(clock.now() + dt.timedelta(days=3)):
        assert (told("pki").severity, told("pki").value) == (Severity.WARNING, 3)


def test_an_operators_walk_of_today_is_not_repeated(chain):
    verify()
    before = AuditCheck.objects.count()
    tasks.verify()
    assert AuditCheck.objects.count() == before
