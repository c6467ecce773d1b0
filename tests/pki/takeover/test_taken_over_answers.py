"""A CA that was taken over must answer: one left without a responder is an alarm, and gets one by itself (ADR 0216)."""

import pytest
from prometheus_client import REGISTRY

from pki import tasks
from pki.domain.findings import Severity
from pki.health import authority_checks
from pki.hsm import HsmUnavailable
from pki.models import Certificate, CertificateAuthority, OcspSigner
from pki.ocsp import presigning
from pki.operators import status_measures
from pki.operators.status import ca_statuses
from pki.takeover import lifecycle
from tests.pki.takeover import takeover_world as world
from tests.pki.takeover.takeover_world import used_ca

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_tokens")]


@pytest.fixture
def silent(tmp_path, monkeypatch) -> CertificateAuthority:
    """A CA that was taken over with its key; then the token was away."""
    old = used_ca(tmp_path / "old", 3, {})
    old.move_key()
    folder = world.manifest(tmp_path / "in", old, "jsonl")
    world.as_jsonl(folder, world.told(old))
    world.approve(folder)

    def away(*_arguments, **_options):
        raise HsmUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(lifecycle.responders, "ensure", away)
        with pytest.raises(world.CommandError, match="OCSP-signeraren saknas"):
            world.run(folder)
    ca = CertificateAuthority.objects.get(slug="function")
    assert (ca.state, OcspSigner.objects.filter(ca=ca).exists()) == ("status_only", False)
    return ca


def of_signer(ca: CertificateAuthority) -> Severity:
    """What is found of the CA's responder; OK if it is nothing at all."""
    subject = f"ocsp-signer {ca.slug}:{ca.generation}"
    return max([each.severity for each in authority_checks.inspect() if each.subject == subject], default=Severity.OK)


def all_of(ca: CertificateAuthority) -> int:
    return Certificate.objects.filter(ca=ca).count()


def value(name: str, ca: CertificateAuthority) -> float | None:
    return REGISTRY.get_sample_value(name, {"ca": f"{ca.slug}:{ca.generation}"})


def test_it_is_wrong_and_counted(silent):
    assert of_signer(silent) == Severity.ERROR
    (found,) = [each for each in ca_statuses() if each.id == silent.id]
    assert (found.has_answers, found.answers.waiting, found.answers.signer_until) == (True, all_of(silent), None)
    status_measures.measure()
    assert value("ocsp_signer_left_seconds", silent) == 0
    assert value("ocsp_sign_queue_depth", silent) == all_of(silent) >= 3
    assert value("ocsp_status_lag_seconds", silent) > 0
    assert value("ocsp_response_coverage", silent) == 0


def test_the_sweeper_gives_it_its_first_responder_and_all_is_well(silent):
    tasks.renew_responders()
    presigning.presign_due()
    assert of_signer(silent) == Severity.OK
    assert not presigning.backlog()
    status_measures.measure()
    assert value("ocsp_signer_left_seconds", silent) > 86_400
    assert value("ocsp_sign_queue_depth", silent) == 0
    tasks.renew_responders()
    assert OcspSigner.objects.filter(ca=silent).count() == 1


def test_one_that_never_was_to_answer_stays_silent_and_is_no_fault(small_pki):
    """The bulk CA of the demo has a key and publishes a list alone."""
    bulk = CertificateAuthority.objects.get(slug="demo-bulk")
    assert bulk.key_id
    tasks.renew_responders()
    assert not OcspSigner.objects.filter(ca=bulk).exists()
    assert of_signer(bulk) == Severity.OK
    (found,) = [each for each in ca_statuses() if each.id == bulk.id]
    assert (found.has_answers, found.answers.waiting) == (False, 0)
    assert not Certificate.objects.filter(ca=bulk, subject_ref__startswith="ocsp:").exists()
