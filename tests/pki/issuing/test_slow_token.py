"""A token whose signatures do not return: nothing counts as issued, and later each planned certificate is issued once."""

import datetime as dt

import pytest

from pki.hsm import sessions
from pki.issuing import claiming, signing
from pki.models import Certificate, Event
from siths_portal.lib import clock
from tests.pki.hsm.hsm_faults import hanging, wait_until_nobody_is_lost
from tests.pki.orders import order, plan

CALL_SECONDS = 0.5


@pytest.fixture
def hasty(demo_pki, monkeypatch, settings):
    """Calls of the issuing token are given up early, and its circuit never stays open."""
    settings.HSM_CALL_SECONDS = CALL_SECONDS
    monkeypatch.setattr(sessions, "BACK_OFF_SECONDS", (0,))
    yield
    wait_until_nobody_is_lost()


def test_certificates_whose_signatures_hang_are_issued_once_later(hasty, tally):
    ids = plan(*[order(subject_ref=f"person:{number}") for number in range(3)])
    with hanging("C_Sign"):
        assert signing.sign_reserved(ids, answers=False) == 0
    wait_until_nobody_is_lost()
    assert set(Certificate.objects.filter(id__in=ids).values_list("status", flat=True)) == {"reserved"}
    with clock.moved_to(clock.now() + claiming.CLAIM + dt.timedelta(seconds=1)):
        while signing.settle():
            pass
    issued = Event.objects.filter(action="certificate.issued", subject_ref__in=list(map(str, ids)))
    tally.run(map(str, ids), issued.values_list("subject_ref", flat=True), "certificates")
