"""A CA that is compromised is one line of `pki_check`, and no alarm for ever over what it may not publish."""

import datetime as dt

from pki.domain.findings import Severity
from pki.health import authority_checks
from pki.models import Certificate, CertificateAuthority
from siths_portal.lib import clock
from tests.pki.mass_revocation.test_mass_revocation import rows_like


def test_it_is_an_alarm_of_its_own_until_its_certificate_is_revoked_and_none_then(world):
    (own,) = rows_like(world, 1, world.root, subject_ref=f"ca:{world.first.slug}:{world.first.generation}")
    CertificateAuthority.objects.filter(id=world.first.id).update(state="compromised")
    with clock.moved_to(clock.now() + dt.timedelta(days=30)):
        (found,) = [each for each in authority_checks.inspect() if world.first.slug in each.subject]
        assert (found.severity, "act: revoke" in found.text) == (Severity.WARNING, True)
        Certificate.objects.filter(id=own.id).update(status="revoked", revoked_at=clock.now(), reason="cACompromise")
        (found,) = [each for each in authority_checks.inspect() if world.first.slug in each.subject]
        assert found.severity == Severity.OK
