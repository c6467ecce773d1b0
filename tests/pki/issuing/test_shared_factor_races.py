"""Two workers that search for shared primes at once miss nothing."""

import threading

import pytest
from django.db import connection

from pki.domain import moduli
from pki.issuing import shared_factors
from pki.models import Certificate, ModulusBlock
from tests.pki.issuing.test_key_checks import key_of, primes
from tests.pki.orders import csr, order, plan

__all__ = ["primes"]


@pytest.mark.usefixtures("demo_pki")
def test_blocks_of_two_workers_are_compared_with_each_other(primes, monkeypatch):
    monkeypatch.setattr(shared_factors, "BLOCK", 1)
    slow, goes_on = threading.Event(), threading.Event()
    search = moduli.shared_factors

    def held(numbers):
        """The first worker stays before the commit of its block, whose number is drawn."""
        if threading.current_thread() is first and not slow.is_set():
            slow.set()
            assert goes_on.wait(150)
        return search(numbers)

    def work() -> None:
        try:
            shared_factors.compare_due()
        finally:
            slow.set()
            connection.close()

    plan(order(csr_der=csr(key_of(primes[0], primes[1]))))
    monkeypatch.setattr(moduli, "shared_factors", held)
    first = threading.Thread(target=work)
    first.start()
    assert slow.wait(150)
    plan(order(subject_ref="person:3", csr_der=csr(key_of(primes[2], primes[1]))))
    shared_factors.compare_due()
    goes_on.set()
    first.join()
    shared_factors.compare_due()
    assert (ModulusBlock.objects.count(), ModulusBlock.objects.filter(compared_at=None).count()) == (2, 0)
    assert set(Certificate.objects.filter(subject_ref__startswith="person:").values_list("status", flat=True)) == {"revoked"}
