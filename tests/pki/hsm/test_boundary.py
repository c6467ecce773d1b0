"""Who can reach keys (S25, S26): the pki worker and operators' commands, never a process that serves the web.

That the latter do not load the token's library is in `tests/lib/processes/test_loading.py`.
"""

import os
from pathlib import Path

from pki.models import CertificateAuthority, HsmKey, OcspSigner
from tests.pki_fixtures import TEST_PIN


def test_the_pin_is_in_no_environment_and_no_setting(demo_pki):
    from django.views.debug import SafeExceptionReporterFilter

    shown = SafeExceptionReporterFilter().get_safe_settings()
    assert TEST_PIN not in repr(shown)
    assert TEST_PIN not in "".join(os.environ.values())
    assert TEST_PIN not in Path("/proc/self/cmdline").read_text()


def test_every_purpose_has_a_key_of_its_own(demo_pki):
    cas = set(CertificateAuthority.objects.values_list("key_id", flat=True))
    signers = set(OcspSigner.objects.values_list("key_id", flat=True))
    assert len(cas) == 8
    assert len(signers) == 6
    assert not cas & signers
    others = set(HsmKey.objects.filter(purpose__in=["kek", "secret-derive"]).values_list("key_id", flat=True))
    assert not others & (cas | signers)
