"""Unsafe settings stop commands, faces and workers with a clear line; safe ones start without a warning."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.conf import settings
from django.core import checks as framework
from django.db import connection
from django.test import override_settings

from pki.models import CertificateAuthority
from siths_portal.dev import checks as house_checks
from siths_portal.dev.openssl import new_key
from siths_portal.lib import checks, clock
from siths_portal.simulators.device import Maker

CLIENT_KEY = str(Path(os.environ["SITHS_TEST_ROOT"]) / "client-key")
Path(CLIENT_KEY).write_text(new_key())
DEMO_MAKER = Path(os.environ["SITHS_TEST_ROOT"]) / "demo-maker"
Maker(DEMO_MAKER).prepare()
LOA2, LOA3 = "http://id.sambi.se/loa/loa2", "http://id.sambi.se/loa/loa3"
ROLES = {"portal": "siths_test", "api": "siths_api", "pki": "siths_pki", "worker": "siths_worker"}  # as whom this test connects
AS_WORKER = ROLES | {"portal": "siths_app", "worker": "siths_test"}
SECOND = {"issuer": "https://second.example.org", "client_id": "portal", "name": "Region", "client_key_file": CLIENT_KEY}
SAFE: dict[str, Any] = {
    "DEBUG": False,
    "FACE": "portal",
    "SECRET_KEY": "".join(map(chr, range(48, 112))),
    "PKI_POLICY_ARC": "2.25.1",
    "ALLOWED_HOSTS": ["portal.example.org"],
    "PORTAL_BASE_URL": "https://portal.example.org",
    "MINASIDOR_BASE_URL": "https://minasidor.example.org",
    "STATUS_BASE_URL": "http://status.example.org",
    "API_BASE_URL": "https://api.example.org",
    "LOGIN_BASE_URL": "https://kort.example.org",
    "DIRECTORY_URL": "https://directory.example.org",
    "PERSON_REGISTER_URL": "https://register.example.org",
    "EID_APP_URL": "https://eidapp.example.org/",
    "OIDC_ISSUER": "https://idp.example.org",
    "OIDC_CLIENT_KEY_FILE": CLIENT_KEY,
    "MTLS_CERTIFICATE_HEADER": "",
    "DATABASE_AS_OWNER": False,
    "DATABASE_ROLES": ROLES,
    "ACCESSIBILITY_CONTACT": "tillganglighet@example.org",
    "ANSWER_STEP_SECONDS": 0.025,
    "PKI_START_BY_TWO": True,
    "PKCS11_PIN_FILE": "",
}


def found(**values: Any) -> set[str]:
    with override_settings(**SAFE | values):
        return {str(message.id) for message in framework.run_checks(tags=[checks.TAG])}


def test_safe_settings_pass() -> None:
    assert found() == set()
    assert found(PKI_START_BY_TWO=False, PKCS11_PIN_FILE="/etc/siths/pin", ENVIRONMENT_NAME="Provmiljö") == set()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"SECRET_KEY": ""}, "siths.E001"),
        ({"SECRET_KEY": "0123456789" * 4 + "012345678"}, "siths.E001"),
        ({"SECRET_KEY": "a" * 60}, "siths.E001"),
        ({"PKI_POLICY_ARC": "1.3.6.1.4.1.32473"}, "siths.E002"),
        ({"PKI_POLICY_ARC": "1.3.6.1.4.1.32473.752"}, "siths.E002"),
        ({"PKI_POLICY_ARC": "1.2.752.74"}, "siths.E003"),
        ({"PKI_POLICY_ARC": "1.2.752.74.5.1", "DEBUG": True}, "siths.E003"),
        ({"PKI_POLICY_ARC": "", "DEBUG": True}, "siths.E004"),
        ({"PKI_POLICY_ARC": "2.25.01"}, "siths.E004"),
        ({"DIRECTORY_URL": "http://127.0.0.1:8013"}, "siths.E006"),
        ({"PERSON_REGISTER_URL": "http://localhost:8013"}, "siths.E006"),
        ({"EID_APP_URL": "http://[::1]:8011"}, "siths.E006"),
        ({"SUPPLIER_PUSH_HOSTS": ["kort.example", "localhost:8012"]}, "siths.E006"),
        ({"EID_APP_URL": "https://portal.example.org:8443/"}, "siths.E020"),
        ({"EID_APP_URL": "https://minasidor.example.org/app"}, "siths.E020"),
        ({"OIDC_ISSUER": "https://idp.localhost"}, "siths.E006"),
        ({"DIRECTORY_BACKEND": "siths_portal.simulators.directory.Directory"}, "siths.E006"),
        ({"DEVICE_ATTESTATION_ROOTS": str(DEMO_MAKER / "root.pem")}, "siths.E006"),
        ({"STATUS_BASE_URL": "https://status.example.org"}, "siths.E007"),
        ({"STATUS_BASE_URL": "http://localhost:8002"}, "siths.E007"),
        ({"STATUS_BASE_URL": "http://127.0.0.1:8002"}, "siths.E007"),
        ({"STATUS_BASE_URL": "http://status"}, "siths.E007"),
        ({"STATUS_BASE_URL": "status.example.org"}, "siths.E007"),
        ({"DATABASE_ROLES": ROLES | {"portal": "someone"}}, "siths.E009"),
        ({"DATABASE_ROLES": ROLES | {"pki": "siths_test"}}, "siths.E009"),
        ({"DATABASE_OWNER_ROLE": "siths_test"}, "siths.E009"),
        ({"DATABASE_PURPOSE": "pki"}, "siths.E009"),
        ({"FACE": "api"}, "siths.E009"),
        ({"ISSUANCE_CHECK_BACKEND": "tests.pki.every_card.EveryCard"}, "siths.E022"),
        ({"PKI_START_BY_TWO": True, "PKCS11_PIN_FILE": "/etc/siths/secrets/pin"}, "siths.E026"),
        ({"PKI_SHARE_FILES": ["/etc/siths/a", "/etc/siths/b"]}, "siths.E026"),
        ({"PKI_START_BY_TWO": False, "PKCS11_PIN_FILE": "/etc/siths/pin", "ENVIRONMENT_NAME": "Produktion"}, "siths.E026"),
        ({"PKI_CUSTODIANS": ["anna", "anna"]}, "siths.E026"),
        ({"MTLS_CERTIFICATE_HEADER": "X-Client-Certificate"}, "siths.E012"),
        ({"MTLS_CERTIFICATE_HEADER": "X-Client-Certificate", "DEBUG": True, "FACE": "status"}, "siths.E012"),
        ({"PORTAL_BASE_URL": "http://portal.example.org"}, "siths.E013"),
        ({"MINASIDOR_BASE_URL": "https://localhost:8001"}, "siths.E013"),
        ({"API_BASE_URL": ""}, "siths.E013"),
        ({"LOGIN_BASE_URL": "http://kort.example.org"}, "siths.E013"),
        ({"LOGIN_BASE_URL": "https://localhost:8444"}, "siths.E013"),
        ({"ACCESSIBILITY_CONTACT": "tillganglighet@demo-e-legitimationer.example"}, "siths.E014"),
        ({"ALLOWED_HOSTS": ["portal.example.org", "*"]}, "siths.E015"),
        ({"OIDC_ISSUER": ""}, "siths.E016"),
        ({"OIDC_ISSUER": "http://idp.example.org"}, "siths.E016"),
        ({"OIDC_CLIENT_KEY_FILE": ""}, "siths.E017"),
        ({"OIDC_CLIENT_KEY_FILE": "/dev/null"}, "siths.E017"),
        ({"OIDC_CLIENT_SECRET_FILE": "/dev/null"}, "siths.E017"),
        ({"OIDC_FRAMEWORK": "freja"}, "siths.E019"),
        ({"OIDC_PROVIDERS": [{"issuer": "https://second.example.org"}]}, "siths.E016"),
        ({"OIDC_PROVIDERS": [SECOND | {"issuer": "https://idp.example.org"}]}, "siths.E016"),
        ({"OIDC_PROVIDERS": [SECOND | {"issuer": "http://second.example.org"}]}, "siths.E016"),
        ({"OIDC_PROVIDERS": [SECOND | {"issuer": "https://localhost:8010"}]}, "siths.E006"),
        ({"OIDC_PROVIDERS": [SECOND | {"acr_values": [LOA2]}], "DEBUG": True}, "siths.E019"),
        ({"OIDC_PROVIDERS": [SECOND | {"client_key_file": ""}]}, "siths.E017"),
        ({"SESSION_IDLE_SECONDS": 0}, "siths.E018"),
        ({"SESSION_IDLE_SECONDS": 86_400}, "siths.E018"),
        ({"SESSION_ABSOLUTE_SECONDS": 600}, "siths.E018"),
        ({"SESSION_ABSOLUTE_SECONDS": 86_400, "DEBUG": True}, "siths.E018"),
        ({"SESSION_WARNING_SECONDS": 900}, "siths.E018"),
        ({"SESSIONS_PER_SUBJECT": 0}, "siths.E018"),
        ({"OIDC_ACR_VALUES": []}, "siths.E019"),
        ({"OIDC_ACR_VALUES": [LOA3, LOA2]}, "siths.E019"),
        ({"OIDC_ACR_VALUES": [LOA2], "DEBUG": True}, "siths.E019"),
        ({"OIDC_CLIENT_KEY_FILE": "", "FACE": "minasidor"}, "siths.E017"),
        ({"OIDC_ACR_VALUES": [], "FACE": "minasidor"}, "siths.E019"),
        ({"OIDC_ACR_VALUES": ["http://id.sambi.se/loa/loa1"], "FACE": "minasidor"}, "siths.E019"),
        ({"ANSWER_STEP_SECONDS": 0.0}, "siths.E021"),
        ({"ANSWER_STEP_SECONDS": 1.5}, "siths.E021"),
        ({"PORTAL_WORKERS": 0}, "siths.E023"),
        ({"PORTAL_WORKERS": 33, "DEBUG": True}, "siths.E023"),
        ({"TEST_PERSONS_FILE": "/srv/booked.csv", "ENVIRONMENT_NAME": "Produktion"}, "siths.E025"),
    ],
)
def test_an_unsafe_setting_is_refused(values: dict[str, Any], expected: str) -> None:
    assert found(**values) == {expected}


@pytest.mark.parametrize(
    "values",
    [
        {"PKI_POLICY_ARC": "1.2.752.740.1"},
        {"PKI_POLICY_ARC": "1.3.6.1.4.1.324730"},
        {
            "MTLS_CERTIFICATE_HEADER": "X-Client-Certificate",
            "FACE": "api",
            "DATABASE_PURPOSE": "api",
            "DATABASE_ROLES": ROLES | {"portal": "siths_app", "api": "siths_test"},
        },
        {"MTLS_CERTIFICATE_HEADER": "X-Client-Certificate", "FACE": "login"},
        {"LOGIN_BASE_URL": ""},
        {"DATABASE_AS_OWNER": True, "DATABASE_OWNER_ROLE": "siths_test"},
        {"OIDC_ISSUER": "", "EID_APP_URL": "", "FACE": "status"},
        {"OIDC_CLIENT_KEY_FILE": "", "DATABASE_PURPOSE": "worker", "DATABASE_ROLES": AS_WORKER},  # a worker logs nobody in
        {"ANSWER_STEP_SECONDS": 0.0, "FACE": "status"},
        {"ANSWER_STEP_SECONDS": 0.01},
        {"OIDC_ACR_VALUES": [LOA3, "http://id.elegnamnden.se/loa/1.0/loa3"]},
        {"OIDC_PROVIDERS": [SECOND]},
        {"OIDC_ACR_VALUES": [LOA3, LOA2], "FACE": "minasidor"},
        {"SESSION_IDLE_SECONDS": 1800, "SESSION_ABSOLUTE_SECONDS": 43_200},
    ],
)
def test_its_neighbours_are_not(values: dict[str, Any]) -> None:
    assert found(**values) == set()


def test_development_may_use_all_that_it_needs() -> None:
    assert found(**{name: getattr(settings, name, "") for name in SAFE} | {"DEBUG": True}) == set()


@pytest.mark.parametrize("variable", checks.FAULT_VARIABLES)
def test_a_fault_point_is_refused_outside_development(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "anything")
    assert found() == {"siths.E008"}
    assert found(DEBUG=True) == set()


def database_findings() -> set[str]:
    return {str(message.id) for message in framework.run_checks(tags=[framework.Tags.database], databases=["default"])}


@pytest.mark.django_db
def test_a_database_that_may_lose_work_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "siths.E010" not in database_findings()
    with monkeypatch.context() as without:
        without.delenv("SITHS_TEST_ROOT")
        assert "siths.E010" in database_findings(), "the tests' own server runs without fsync"


@pytest.mark.django_db
def test_more_processes_than_postgresql_has_connections_for_are_refused() -> None:
    assert "siths.E024" not in database_findings()
    with override_settings(PORTAL_WORKERS=12):
        assert "siths.E024" in database_findings(), "12 processes of 8 threads beside the other processes, and 117 connections"


@pytest.fixture
def granted() -> Iterator[Callable[[str], None]]:
    """Runs SQL as superuser in the test's database."""
    options = connection.settings_dict
    with closing(psycopg2.connect(dbname=options["NAME"], user="postgres", host=options["OPTIONS"]["host"])) as superuser:
        superuser.autocommit = True

        def run(sql: str) -> None:
            with superuser.cursor() as cursor:
                cursor.execute(sql)

        yield run


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("right", ["UPDATE", "DELETE", "TRUNCATE"])
def test_a_role_that_may_change_an_event_is_refused(right: str, granted: Callable[[str], None]) -> None:
    assert "siths.E011" not in database_findings()
    granted(f"GRANT {right} ON pki_event TO siths_app")
    try:
        assert "siths.E011" in database_findings()
    finally:
        granted(f"REVOKE {right} ON pki_event FROM siths_app")


@pytest.mark.django_db(transaction=True)
def test_a_ca_with_a_demo_name_is_refused_outside_development() -> None:
    CertificateAuthority.objects.create(
        slug="root",
        common_name="DEMO SITHS e-id Root CA",
        definition_sha256="",
        file_stem="root",
        crl_period=timedelta(days=1),
        crl_validity=timedelta(days=2),
        created_at=clock.now(),
    )
    with override_settings(DEBUG=True):
        assert "pki.E001" not in database_findings()
    with override_settings(DEBUG=False):
        assert "pki.E001" in database_findings()


def start(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")}
    inherited["DATABASE_APP_ROLE"] = ROLES["portal"]
    env = (
        inherited | {"SITHS_VAR_DIR": os.environ["SITHS_VAR_DIR"], "SECRET_KEY_FILE": os.environ["SECRET_KEY_FILE"]} | environment
    )
    return subprocess.run(command, cwd=settings.BASE_DIR, env=env, capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "-c", "import siths_portal.wsgi"),
        (sys.executable, "-m", "celery", "-A", "siths_portal.celery", "worker", "-P", "solo", "-Q", "none"),
        (sys.executable, "-m", "celery", "-A", "siths_portal.celery", "beat"),
        (sys.executable, "manage.py", "check"),
    ],
    ids=["face", "worker", "beat", "command"],
)
def test_nothing_starts_with_unsafe_settings(command: tuple[str, ...], tmp_path: Path) -> None:
    unsafe = house_checks.PRODUCTION | {"SITHS_FAULT_DIR": str(tmp_path), "STATUS_BASE_URL": "http://a"}
    done = start(*command, **unsafe)
    assert done.returncode == 1
    assert "siths.E007" in done.stderr
    assert "STATUS_BASE_URL is not http:// and a name with a dot." in done.stderr
    assert "siths.E008" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_face_is_clean_under_production_settings() -> None:
    assert house_checks.deployment(Path(settings.BASE_DIR)) is None
