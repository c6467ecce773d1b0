"""Who can reach keys (S25, S26): the pki worker and operators' commands, never a process that serves the web."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from pki.models import CertificateAuthority, HsmKey, OcspSigner
from tests import fork_server
from tests.pki_fixtures import TEST_PIN

FACE = """
import django, importlib, sys
django.setup()
importlib.import_module("siths_portal.wsgi")
importlib.import_module(f"siths_portal.wiring.urls_{sys.argv[1]}")
import pki.service
print(sorted(name for name in sys.modules if name == "pkcs11" or name.startswith(("pkcs11.", "pki.hsm"))))
"""


@pytest.mark.parametrize("face", ["portal", "minasidor", "api", "status"])
def test_a_face_does_not_even_load_the_token_library(face):
    environment = os.environ | {"SITHS_FACE": face, "PKCS11_PIN_FILE": "", "PYTHONPATH": str(settings.BASE_DIR)}
    with fork_server.anew():
        done = subprocess.run(
            [sys.executable, "-c", FACE, face],
            env=environment,
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


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
