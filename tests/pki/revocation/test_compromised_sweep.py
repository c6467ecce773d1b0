"""What has a compromised key is revoked, and looking for it costs as much as there is to find, not as much as there is."""

import datetime as dt

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from pki.issuing import key_checks
from pki.models import Certificate
from pki.revocation.revoking import plan_revocation
from siths_portal.lib import clock
from tests.pki.mass_revocation.test_mass_revocation import rows_like


def compromise(row: Certificate) -> None:
    with transaction.atomic(durable=True):
        plan_revocation([row.id], reason="keyCompromise", actor_ref="user:1", received_at=clock.now(), channel="portal")


def keyed(world, key: str, count: int = 2) -> list[Certificate]:
    return rows_like(world, count, spki_sha256=key * 64)


def statuses(rows: list[Certificate]) -> list[str]:
    return list(Certificate.objects.filter(id__in=[row.id for row in rows]).order_by("id").values_list("status", flat=True))


def test_a_compromise_of_now_takes_the_keys_other_certificates_with_it(world):
    rows, others = keyed(world, "a", 3), keyed(world, "b")
    compromise(rows[0])
    assert key_checks.revoke_compromised() == 2
    assert (statuses(rows), statuses(others)) == (["revoked"] * 3, ["issued"] * 2)


@pytest.mark.parametrize("by", ["an outage of the sweeper", "an import"])
def test_what_was_missed_is_found_by_the_search_through_all(world, monkeypatch, by):
    monkeypatch.setattr(key_checks, "_PIECE", 2)
    pairs = [keyed(world, key) for key in "abcde"]
    for row, _sibling in pairs:
        if by == "an import":
            Certificate.objects.filter(id=row.id).update(status="revoked", revoked_at=clock.now(), reason="keyCompromise")
        else:
            compromise(row)
    with clock.moved_to(clock.now() + dt.timedelta(hours=1)):
        assert key_checks.revoke_compromised() == 0
        assert key_checks.revoke_compromised(whole=True) == 5
        assert key_checks.revoke_compromised(whole=True) == 0
    assert [statuses(pair) for pair in pairs] == [["revoked"] * 2] * 5


def test_a_run_after_a_mass_compromise_looks_at_nothing_old(world):
    for row, _sibling in [keyed(world, key) for key in "abc"]:
        compromise(row)
    key_checks.revoke_compromised()
    with clock.moved_to(clock.now() + dt.timedelta(hours=1)), CaptureQueriesContext(connection) as queries:
        assert key_checks.revoke_compromised() == 0
    (query,) = queries.captured_queries
    assert "decided_at" in query["sql"]
