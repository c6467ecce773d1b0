"""What is planned while a CA is about to stop: before, or not at all."""

import threading

import pytest
from django.db import connection, transaction

from pki.authorities import ca_states
from pki.models import CaState, Certificate, CertificateAuthority
from siths_portal.lib.errors import Conflict
from tests.pki.orders import order, plan
from tests.waiting import sessions_waiting, wait_for


@pytest.fixture
def stopping(demo_pki):
    """Another process that is in the middle of retiring the function CA, and commits when somebody waits for it."""
    begun = threading.Event()

    def retire() -> None:
        try:
            with transaction.atomic():
                ca = ca_states.locked("function", 1)
                ca_states.apply(ca, CaState.RETIRED, actor_ref="user:1", facts={})
                begun.set()
                wait_for(lambda: sessions_waiting() == 1, "somebody to wait for the CA")
        finally:
            begun.set()
            connection.close()

    other = threading.Thread(target=retire)
    other.start()
    assert begun.wait(150)
    yield
    other.join()


def test_nothing_is_planned_from_a_ca_that_stops_meanwhile(stopping):
    """Else the certificate would be issued after the CA's last CRL, where no revocation of it could ever stand."""
    with pytest.raises(Conflict) as refused:
        plan(order("function"))
    assert refused.value.code == "ca-not-active"
    assert CertificateAuthority.objects.get(slug="function").state == CaState.RETIRED
    assert not Certificate.objects.filter(ca__slug="function", status="reserved").exists()


def test_a_ca_does_not_stop_before_what_is_planned_is_there(demo_pki):
    """The last CRL is made of a table that shows everything that was planned before."""
    seen = []

    def retire() -> None:
        try:
            with transaction.atomic():
                ca_states.locked("function", 1)
                seen.append(Certificate.objects.filter(ca__slug="function", status="reserved").count())
        finally:
            connection.close()

    other = threading.Thread(target=retire)
    with transaction.atomic():
        plan(order("function"))
        other.start()
        wait_for(lambda: sessions_waiting() == 1, "the other to wait")
    other.join()
    assert seen == [1]
