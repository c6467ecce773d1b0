"""CRL, OCSP and the database say the same of every certificate (B1.33, F10 15), whatever was done in whatever order."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.x509 import ocsp as x509_ocsp
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pki import crl, ocsp, status
from pki.domain.ocsp_request import CertId
from pki.models import HOLDER_REASONS, Certificate
from pki.revoking import plan_revocation
from siths_portal.lib import clock

CERTIFICATES = 4
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("revoke"),
            st.integers(0, CERTIFICATES - 1),
            st.sampled_from(HOLDER_REASONS),
            st.one_of(st.none(), st.integers(1, 9)),
        ),
        st.tuples(st.just("presign")),
        st.tuples(st.just("publish")),
    ),
    max_size=8,
)


def told(row):
    """Status, time and reason as a relying party has them from OCSP; None while there is no answer."""
    wanted = CertId("sha256", row.ca.name_sha256, row.ca.key_sha256, int(row.serial, 16))
    try:
        answer = x509_ocsp.load_der_ocsp_response(status.answer(wanted).der)
    except status.TryLater:
        return None
    return answer.certificate_status.name, answer.revocation_time_utc, answer.revocation_reason


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


def take(step, rows, world):
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
    elif step[0] == "presign":
        ocsp.presign_due()
    else:
        crl.publish_crl(world.first.id)


@hypothesis_settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_crl_ocsp_and_database_agree(world, steps):
    rows = [world.issue() for _ in range(CERTIFICATES)]
    for step in steps:
        take(step, rows, world)
        revoked = set(Certificate.objects.filter(status="revoked").values_list("id", flat=True))
        for row in rows:
            answer = told(row)
            if answer is not None:
                # At every moment: an answer, if there is one, is the database's, so "good" never meets a CRL that lists it.
                assert (answer[0] == "REVOKED") == (row.id in revoked)
    ocsp.presign_due()
    crl.publish_crl(world.first.id)
    found = x509.load_der_x509_crl(crl.crl_path(world.first).read_bytes())
    for row in Certificate.objects.filter(ca=world.first):
        assert told(row) == listed(found, row)
        assert (told(row)[0] == "REVOKED") == (row.status == "revoked")
    assert len(found) == Certificate.objects.filter(ca=world.first, status="revoked").count()


def test_the_comparison_can_fail(world):
    row = world.issue()
    ocsp.presign_due()
    crl.publish_crl(world.first.id)
    found = x509.load_der_x509_crl(crl.crl_path(world.first).read_bytes())
    take(("revoke", 0, "superseded", None), [row], world)
    ocsp.presign_due()
    with pytest.raises(AssertionError):
        assert told(row) == listed(found, row)
