"""What relying parties are told of a revocation, and when: answers signed, lists published, lists to come."""

import datetime as dt

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from pki import service
from pki.crl import building
from pki.models import CaState, CertificateAuthority
from pki.ocsp import presigning
from pki.revocation.revoking import plan_revocation
from siths_portal.lib import clock


def revoke(*rows):
    with transaction.atomic(durable=True):
        ids = [row.id for row in rows]
        plan_revocation(ids, reason="superseded", actor_ref="user:1", received_at=clock.now(), channel="portal")


def seen(row):
    (view,) = service.publication([row.id])
    return view


def test_a_revocation_is_seen_when_its_answers_are_signed_and_its_list_is_out(world):
    row = world.issue()
    presigning.presign([row.id])
    first = building.publish_crl(world.first.id)
    assert seen(row).ocsp_since is not None
    assert (seen(row).crl_since, seen(row).crl_due) == (None, None)  # nothing to list

    revoke(row)
    waiting = seen(row)
    assert (waiting.status, waiting.answers_ocsp, waiting.ocsp_since, waiting.crl_since) == ("revoked", True, None, None)
    assert waiting.crl_due == first.this_update + world.first.crl_period

    presigning.presign([row.id])
    signed = seen(row)
    assert signed.ocsp_since is not None
    assert signed.ocsp_since >= waiting.revoked_at.replace(microsecond=0)
    assert signed.crl_since is None

    with clock.moved_to(clock.now() + dt.timedelta(minutes=1)):
        second = building.publish_crl(world.first.id)
        building.publish_crl(world.first.id)
        listed = seen(row)
        assert (listed.crl_since, listed.crl_due) == (second.this_update, None)


def test_before_the_first_list_it_is_due_now(world):
    row = world.issue()
    revoke(row)
    before = clock.now()
    assert before <= seen(row).crl_due <= clock.now()


def test_what_gets_no_answer_is_not_waited_for(world):
    ended = world.issue(not_after=clock.now() - dt.timedelta(days=1))
    bulk = world.authority("demo-bulk", "DEMO SITHS e-id Bulk CA v1", world.keys.second, world.root, state=CaState.STATUS_ONLY)
    silent = world.issue(bulk)
    revoke(ended, silent)
    assert (seen(ended).answers_ocsp, seen(silent).answers_ocsp) == (False, False)
    assert seen(silent).crl_due is not None  # a list it does get
    CertificateAuthority.objects.filter(pk=world.first.pk).update(state=CaState.EXTERNAL)
    assert seen(ended).crl_due is None


def test_an_old_answer_is_none(world):
    row = world.issue()
    revoke(row)
    presigning.presign([row.id])
    with clock.moved_to(clock.now() + dt.timedelta(days=3)):
        assert seen(row).ocsp_since is None


def test_many_certificates_cost_one_query(world):
    rows = [world.issue(ca) for ca in (world.first, world.second) for _ in range(5)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(service.publication([row.id for row in rows])) == 10
    assert len(queries) == 1
