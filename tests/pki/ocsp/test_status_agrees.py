"""CRL, OCSP and the database say the same of every certificate that is not on hold (B1.33, F10 15), whatever was done in
whatever order. Of one on hold OCSP has no stored answer, the signer says certificateHold, and no CRL lists it.

OCSP is asked twice: by the code of the reference view, and the responder that answers from files. The certificates are those of
a CA with shards, and of an imported one, of which the serials alone are known. No publisher runs: the files follow when a step
says so, and when a list is made.
"""

import datetime as dt
import secrets
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.x509 import ocsp as x509_ocsp
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pki import service
from pki.crl import building
from pki.domain.ocsp_request import CertId
from pki.models import HOLDER_REASONS, CaState, Certificate, CertificateAuthority, SecretDelivery
from pki.ocsp import presigning, status
from pki.ocsp.publishing import Publisher
from pki.revocation import releasing
from pki.revocation.revoking import plan_revocation
from siths_portal.lib import clock
from tests.pki.crl.crl_world import published, sharded
from tests.pki.ocsp.test_status_face import request_for
from tests.pki.ocspd.ocspd_stage import Served, Status
from tests.pki.revocation.test_holds import said_live

ISSUED, ON_HOLD, BARE, SHARDS = 3, 2, 2, 2
LISTS = [("first", None), *(("first", shard) for shard in range(SHARDS)), ("second", None)]
DAY = dt.timedelta(days=1)
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("revoke"),
            st.integers(0, ISSUED + ON_HOLD + BARE - 1),
            st.sampled_from(HOLDER_REASONS),
            st.one_of(st.none(), st.integers(1, 9)),
        ),
        st.tuples(st.just("release"), st.integers(ISSUED, ISSUED + ON_HOLD - 1)),
        st.tuples(st.just("presign")),
        st.tuples(st.just("publish"), st.sampled_from(LISTS)),
        st.tuples(st.just("follow")),
    ),
    max_size=10,
)


@pytest.fixture
def stage(world, settings, tmp_path):
    """The first CA has shards, the second came from elsewhere; a responder and its files."""
    settings.PKI_OCSP_STORE_DIR = tmp_path / "ocsp"
    CertificateAuthority.objects.filter(id=world.second.id).update(state=CaState.STATUS_ONLY)
    served = Served(settings.PKI_OCSP_STORE_DIR)
    served.close()
    return SimpleNamespace(first=sharded(world.first, SHARDS), second=world.second, world=world, served=served)


def bare(stage) -> list[Certificate]:
    """Two imported serials without certificates, the second of them revoked before."""
    start = clock.now().replace(microsecond=0) - 9 * DAY
    alike = {"not_before": start, "not_after": start + 900 * DAY}
    states = ({}, {"revoked_at": start + DAY, "reason": "superseded"})
    given = [service.SerialOnly(serial=f"{1 << 118 | secrets.randbits(118):X}", **alike, **state) for state in states]
    with transaction.atomic():
        ids = service.plan_serial_only(given, ca=stage.second.slug, actor_ref="system:import")
    rows = {row.id: row for row in Certificate.objects.filter(id__in=ids).select_related("ca")}
    return [rows[id_] for id_ in ids]


def seen(answer):
    return answer.certificate_status.name, answer.revocation_time_utc, answer.revocation_reason


def told(row):
    """Status, time and reason as a relying party has them from the reference view; None while there is no answer."""
    wanted = CertId("sha256", row.ca.name_sha256, row.ca.key_sha256, int(row.serial, 16))
    try:
        return seen(x509_ocsp.load_der_ocsp_response(status.answer(wanted).der))
    except status.TryLater:
        return None


def served(stage, row):
    """The same from the responder's files."""
    answer = stage.served.post(request_for(row))
    return seen(answer) if answer.response_status == Status.SUCCESSFUL else None


def listed(found, row):
    """Status, time and reason as a relying party has them from the CRL."""
    entry = found.get_revoked_certificate_by_serial_number(int(row.serial, 16))
    if entry is None:
        return "GOOD", None, None
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        reason = None
    return "REVOKED", entry.revocation_date_utc, reason


def take(step, rows, stage):
    if step[0] == "revoke":
        _, index, reason, days = step
        with transaction.atomic(durable=True):
            plan_revocation(
                [rows[index].id],
                reason=reason,
                actor_ref="user:1",
                received_at=clock.now(),
                channel="portal",
                invalidity_date=clock.now() - dt.timedelta(days=days) if days else None,
            )
    elif step[0] == "release":
        release(rows[step[1]])
    elif step[0] == "presign":
        presigning.presign_due()
    elif step[0] == "publish":
        name, shard = step[1]
        building.publish_crl(getattr(stage, name).id, shard)
    else:
        with Publisher(stage.served.folder) as publisher:
            publisher.look()


def release(row) -> None:
    """What the worker does once the code of the certificate's card is set."""
    now = clock.now()
    delivery = SecretDelivery.objects.create(
        owner_ref=row.carrier_ref, actor_ref="holder:1", purpose="activation", state="ready", kind="activate", header={},
        recipient_jwk={}, handle_sha256=secrets.token_hex(32), proof_verified_at=now, created_at=now,
    )  # fmt: skip
    with transaction.atomic(durable=True):
        service.plan_release([row.id], delivery_id=delivery.id, actor_ref="holder:1")
    releasing.release_holds([row.id])


def holds_now(step, rows, stage) -> None:
    """At every moment an answer, if there is one, is the database's, and "good" never meets a CRL that lists it."""
    revoked = set(Certificate.objects.filter(status="revoked").values_list("id", flat=True))
    on_hold = service.held_certificates(row.id for row in rows)
    out = [(ca, published(ca, shard)) for ca, shard in lists(stage) if building.crl_path(ca, shard).exists()]
    for row in rows:
        answer, from_files = told(row), served(stage, row)
        if answer is not None:
            assert (answer[0] == "REVOKED") == (row.id in revoked)
            assert row.id not in on_hold
        if step[0] in ("publish", "follow"):
            assert from_files == answer
        if any(ca.id == row.ca_id and listed(found, row)[0] == "REVOKED" for ca, found in out):
            assert row.id in revoked
            assert from_files is None or from_files[0] == "REVOKED"


def lists(stage):
    return [(getattr(stage, name), shard) for name, shard in LISTS]


def test_f10_15_crl_ocsp_and_database_agree_on_every_certificate(stage):
    """On an example's own after it, on all together in the end: earlier ones must not have been lost meanwhile."""

    @hypothesis_settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(steps=STEPS)
    def example(steps):
        cards = [stage.world.hold(carrier_ref=f"carrier:{number}") for number in range(ON_HOLD)]
        rows = [*(stage.world.issue() for _ in range(ISSUED)), *cards, *bare(stage)]
        for step in steps:
            take(step, rows, stage)
            holds_now(step, rows, stage)
        presigning.presign_due()
        for ca in (stage.first, stage.second):
            building.publish_all(ca)
            assert len(published(ca)) == Certificate.objects.filter(ca=ca, status="revoked").count()
        all_agree(Certificate.objects.filter(id__in=[row.id for row in rows]), stage)

    example()
    all_agree(Certificate.objects.filter(ca__in=[stage.first, stage.second]), stage)


def all_agree(rows, stage) -> None:
    """CRL and OCSP say the same, and what the rows say."""
    out = {(ca.id, shard): published(ca, shard) for ca, shard in lists(stage)}
    for row in rows.select_related("ca"):
        said = listed(out[row.ca_id, None], row)
        if row.held:
            assert said == ("GOOD", None, None)
            assert told(row) is served(stage, row) is None
            assert seen(said_live(row)) == ("REVOKED", row.issued_at.replace(microsecond=0), x509.ReasonFlags.certificate_hold)
            continue
        assert told(row) == said
        assert served(stage, row) == said
        assert (said[0] == "REVOKED") == (row.status == "revoked")
        for shard in range(SHARDS) if row.ca_id == stage.first.id else ():
            here = int(row.serial, 16) % SHARDS == shard
            assert listed(out[row.ca_id, shard], row) == (said if here else ("GOOD", None, None))


def test_the_comparison_can_fail(stage, settings):
    row = stage.world.issue()
    presigning.presign_due()
    building.publish_all(stage.first)
    assert told(row) == served(stage, row) == listed(published(stage.first), row)
    take(("revoke", 0, "superseded", None), [row], stage)
    presigning.presign_due()
    with pytest.raises(AssertionError):
        assert told(row) == listed(published(stage.first), row)
    with pytest.raises(AssertionError):
        holds_now(("follow",), [row], stage)
    settings.PKI_OCSP_STORE_DIR = stage.served.folder / "none"  # a list that waits for nobody
    building.publish_crl(stage.first.id)
    with pytest.raises(AssertionError):
        holds_now(("publish",), [row], stage)
    with pytest.raises(AssertionError):
        holds_now(("revoke",), [row], stage)
