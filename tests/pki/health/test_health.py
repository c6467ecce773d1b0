"""Health of the PKI: what `pki_check`, the graphs and the worker's readiness tell when something is wrong."""

import datetime as dt
import io
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from prometheus_client import REGISTRY

from pki import tasks
from pki.authorities import clock_guard
from pki.domain.findings import Severity
from pki.health import checks
from pki.hsm import inventory
from pki.hsm.token_keys import WantedKey
from pki.models import Certificate, CertificateAuthority, ClockMark, Event, HsmKey, KeyInventory, KeyPurpose
from siths_portal import tasks as portal_tasks
from siths_portal.celery import SCHEDULE
from siths_portal.lib import clock
from siths_portal.lib.monitoring import health_server
from siths_portal.lib.monitoring.health import database
from tests.ports import free_port
from tests.waiting import wait_for

MINUTE = dt.timedelta(minutes=1)


def found(subject):
    """The one finding about this."""
    (one,) = [each for each in checks.check_all() if each.subject == subject]
    return one


def check():
    """What `pki_check` prints, and its exit status."""
    out = io.StringIO()
    try:
        call_command("pki_check", stdout=out)
    except CommandError as error:
        return out.getvalue(), error.returncode
    return out.getvalue(), 0


@pytest.fixture
def probe(audit_token, settings, transactional_db):
    """The issuing token with its probe key."""
    from pki.hsm import issuing_hsm

    return WantedKey(issuing_hsm(), KeyPurpose.HEALTH, "siths/test/health/2026", "ec-p256").ensure(actor_ref="system:test")


def test_the_probe_key_signs_and_verifies(probe):
    subject = f"token {probe.token_label}"
    assert (found(subject).severity, found(subject).text) == (Severity.OK, "provnyckeln signerar och signaturen stämmer")
    out, _ = check()
    assert f"ok  {subject}: provnyckeln signerar" in out


def test_a_probe_key_that_is_another_is_an_error(probe):
    other = HsmKey.objects.create(
        key_id="ab" * 20, purpose=KeyPurpose.OCSP, token_label=probe.token_label, label="other", algorithm="ec-p256",
        public_key_der=probe.public_key_der, created_at=clock.now(),
    )  # fmt: skip
    HsmKey.objects.filter(key_id=probe.key_id).delete()
    HsmKey.objects.filter(key_id=other.key_id).update(purpose=KeyPurpose.HEALTH)
    finding = found(f"token {probe.token_label}")
    assert (finding.severity, finding.text) == (Severity.ERROR, "HSM svarar inte (HsmKeyMissing)")


def test_a_probe_key_whose_row_is_broken_is_an_error(probe):
    HsmKey.objects.filter(key_id=probe.key_id).update(public_key_der=b"x")
    finding = found(f"token {probe.token_label}")
    assert (finding.severity, finding.text) == (Severity.ERROR, "provnyckelns rad i nyckelregistret är skadad")


def test_a_token_without_its_probe_key_is_to_be_looked_at(world, audit_token):
    assert found(f"token {audit_token}").severity == Severity.WARNING


def test_a_fresh_system_has_nothing_to_look_after(own_tokens, transactional_db):
    """Before its first ceremony, and before and after the jobs that are done once a day."""

    def troubles():
        """Without the clock: whether this machine keeps time is no matter of the portal."""
        return [(each.subject, each.text) for each in checks.check_all() if each.severity and each.subject != "klocka"]

    assert troubles() == []
    assert check()[1] == 0
    inventory.run()
    portal_tasks.seal()
    portal_tasks.verify()
    assert troubles() == []


def test_a_first_inventory_and_walk_that_never_came_are_late(probe):
    assert found("nyckelinventering").severity == found("händelsekedja").severity == Severity.OK
    with clock.moved_to(clock.now() + dt.timedelta(days=3)):
        assert found("nyckelinventering").severity == found("händelsekedja").severity == Severity.WARNING


def test_a_token_that_is_not_there_is_an_error(transactional_db, settings):
    settings.PKCS11_TOKEN = "no-such-token"
    assert found("token no-such-token").severity == Severity.ERROR
    assert check()[1] == 1


@pytest.mark.parametrize(
    ("age", "severity"), [(10, Severity.OK), (90, Severity.WARNING), (301, Severity.ERROR)], ids=["soon", "slow", "stopped"]
)
def test_the_oldest_reserved_certificate_is_the_lag(world, age, severity):
    row = world.issue(status="reserved", issued_at=None)
    Certificate.objects.filter(id=row.id).update(created_at=clock.now() - dt.timedelta(seconds=age))
    finding = found("signering")
    assert (finding.severity, finding.measure) == (severity, "seconds")
    assert age <= finding.value < age + 30
    CertificateAuthority.objects.filter(id=world.first.id).update(state="offline")
    assert found("signering").severity == Severity.OK  # a ceremony's


def test_what_the_inventory_found_is_told(probe):
    report = inventory.run()
    assert found("nyckelinventering").value == len(report.problems)
    KeyInventory.objects.update(problems=[])
    assert found("nyckelinventering").severity == Severity.OK
    KeyInventory.objects.update(ended_at=clock.now() - dt.timedelta(days=3))
    assert found("nyckelinventering").severity == Severity.ERROR


def test_lags_of_the_audit_chain(probe):
    """The key that the fixture made is an event. Seals stay below every transaction that runs, autovacuum's among them."""
    soon = clock.now() + 10 * MINUTE
    waited = (soon - Event.objects.earliest("id").at).total_seconds()

    def then(subject):
        with clock.moved_to(soon):
            return found(subject)

    def sealed():
        portal_tasks.seal()
        return then("händelsesigill").text == "ingen händelse väntar på sigill"

    def with_macs():  # the chain's own key is an event, too
        portal_tasks.mac()
        portal_tasks.seal()
        return then("MAC").text == "inget sigill väntar på MAC"

    finding = then("händelsesigill")
    assert (finding.severity, finding.value) == (Severity.ERROR, waited)
    assert then("MAC").severity == Severity.OK
    wait_for(sealed)
    finding = then("MAC")
    assert (finding.severity, finding.value) == (Severity.ERROR, waited)
    wait_for(with_macs)


def test_the_clock_is_told(probe):
    moment = clock.now()
    assert found("klocka").severity < Severity.ERROR
    ClockMark.objects.update_or_create(id=1, defaults={"produced_at": moment + MINUTE})
    with clock.moved_to(moment):
        finding = found("klocka")
    assert finding.severity == Severity.ERROR
    assert "har gått tillbaka: signering väntar i 55 s" in finding.text
    ClockMark.objects.all().delete()
    with clock.moved_to(clock.now() + 10 * MINUTE):
        finding = found("klocka")
    assert (finding.severity, 500 < finding.value < 660) == (Severity.WARNING, True)
    with clock.moved_to(moment + 120 * MINUTE):
        assert found("klocka").severity == Severity.ERROR


def test_whether_the_system_keeps_time_is_asked(probe, monkeypatch):
    for answer, severity in ((True, Severity.OK), (None, Severity.OK), (False, Severity.WARNING)):
        monkeypatch.setattr(clock_guard, "synchronised", lambda answer=answer: answer)
        assert found("klocka").severity == severity
    monkeypatch.undo()
    assert clock_guard.synchronised() in (True, False, None)


def test_the_task_shows_what_it_finds_as_numbers(world, probe):
    world.issue()
    tasks.measure_health()
    assert REGISTRY.get_sample_value("pki_health", {"subject": f"token {probe.token_label}"}) == 0
    assert REGISTRY.get_sample_value("pki_health", {"subject": "crl function:1"}) == 2
    left = REGISTRY.get_sample_value("pki_health_value", {"subject": "ca function:1", "measure": "days"})
    assert left == (CertificateAuthority.objects.get(slug="function").not_after - clock.now()).days
    assert SCHEDULE["pki.measure_health"] == ("pki.measure_health", 300, "pki")


# --- readiness of faces and the worker -----------------------------------------------------------------------------------


@override_settings(ROOT_URLCONF="siths_portal.wiring.urls_status")
def test_the_status_face_is_ready_while_its_files_can_be_read(world, settings):
    from pki.crl import building

    assert Client().get("/healthz/ready").status_code == 200
    building.publish_online()
    assert Client().get("/healthz/ready").json()["checks"] == {"database": "ok", "published": "ok"}
    settings.PKI_STATUS_DIR = settings.PKI_STATUS_DIR / "elsewhere"
    answer = Client().get("/healthz/ready")
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    assert answer.json()["checks"]["published"] == "mappen med spärrlistor går inte att läsa"
    assert str(settings.PKI_STATUS_DIR) not in answer.text
    assert Client().get("/healthz/live").status_code == 200


def get(url):
    """Status, content type and JSON of an answer, refusals included."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.headers["Content-Type"], json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], json.loads(error.read())


@pytest.mark.django_db(transaction=True)
def test_the_workers_address_answers_health_and_nothing_else():
    words = []
    server = health_server.start("127.0.0.1:0", {"database": database, "other": lambda: words[0] if words else None})
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        assert get(f"{url}/healthz/live") == (200, "application/json", {"status": "ok"})
        ready = {"status": "ok", "checks": {"database": "ok", "other": "ok"}}
        assert get(f"{url}/healthz/ready") == (200, "application/json", ready)
        words.append("HSM svarar inte")
        status, kind, body = get(f"{url}/healthz/ready")
        assert (status, kind, body["checks"]["other"]) == (503, "application/problem+json", "HSM svarar inte")
        assert get(f"{url}/healthz/live")[0] == 200
        assert get(f"{url}/metrics")[0] == get(f"{url}/")[0] == 404
        request = urllib.request.Request(f"{url}/healthz/ready", data=b"x", method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        assert refused.value.code == 501
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def worker(own_tokens, transactional_db, tmp_path):
    """A real `pki` worker with a health address, and where its token lies."""
    port = free_port()
    environment = os.environ | {"WORKER_HEALTH_BIND": f"127.0.0.1:{port}"}
    celery = [sys.executable, "-m", "celery", "-A", "siths_portal.celery", "worker"]
    command = [*celery, "-Q", "health-test", "-P", "threads", "-c", "1"]
    log = (tmp_path / "worker.log").open("wb")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    try:
        while True:
            try:
                get(f"{url}/healthz/live")
                break
            except OSError:
                assert process.poll() is None, (tmp_path / "worker.log").read_text()
                assert time.monotonic() < deadline, "the worker does not answer"
                threading.Event().wait(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(60)
        log.close()


def test_a_worker_is_ready_until_token_or_clock_fail_and_again_after(worker, settings):
    """No restart is needed, and what is wrong is told without a secret."""
    ready = f"{worker}/healthz/ready"
    checks = {"database": "ok", "hsm": "ok", "clock": "ok", "queue": "ok"}
    assert get(ready) == (200, "application/json", {"status": "ok", "checks": checks})
    ClockMark.objects.create(produced_at=clock.now() + 10 * MINUTE)
    status, kind, body = get(ready)
    assert (status, kind) == (503, "application/problem+json")
    assert body["checks"] == checks | {"clock": "klockan har gått tillbaka"}
    ClockMark.objects.all().delete()
    assert get(ready)[0] == 200
    row = HsmKey.objects.create(
        key_id="cd" * 20, purpose=KeyPurpose.HEALTH, token_label=settings.PKCS11_TOKEN, label="gone", algorithm="ec-p256",
        public_key_der=ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        ),
        created_at=clock.now(),
    )  # fmt: skip
    status, _, body = get(ready)
    assert (status, body["checks"]["hsm"]) == (503, "HSM svarar inte")
    assert settings.PKCS11_TOKEN not in json.dumps(body)
    row.delete()
    assert get(ready)[0] == 200
    assert get(f"{worker}/healthz/live")[0] == 200


def test_a_worker_without_a_database_is_not_ready(worker):
    name = connection.settings_dict["NAME"]
    connection.close()
    _as_superuser(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        status, _, body = get(f"{worker}/healthz/ready")
        assert (status, body["checks"]["database"]) == (503, "databasen svarar inte")
        assert get(f"{worker}/healthz/live")[0] == 200
    finally:
        _as_superuser(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert get(f"{worker}/healthz/ready")[0] == 200


def _as_superuser(statement):
    import psycopg2

    host = connection.settings_dict["OPTIONS"]["host"]
    opened = psycopg2.connect(dbname="postgres", user="postgres", host=host)
    opened.autocommit = True
    with opened.cursor() as cursor:
        cursor.execute(statement)
    opened.close()


def test_a_journal_that_cannot_be_written_or_is_nearly_full_is_told(settings, tmp_path, monkeypatch):
    from siths_portal.lib.files import journal

    settings.JOURNAL_DIR = tmp_path
    assert (checks.journalled().severity, checks.journalled().subject) == (Severity.OK, "journal")
    assert not (tmp_path / "pki").exists()
    monkeypatch.delenv("SITHS_TEST_ROOT")
    for volume, severity in (
        (journal.Volume(True, 10**9, False), Severity.WARNING),
        (journal.Volume(True, 10**8, False), Severity.ERROR),
        (journal.Volume(True, 10**12, True), Severity.WARNING),
        (journal.Volume(True, 10**12, False), Severity.OK),
    ):
        with monkeypatch.context() as context:
            context.setattr(journal, "volume", lambda _name, volume=volume: volume)
            assert checks.journalled().severity == severity, volume
    (tmp_path / "pki").touch()
    assert checks.journalled().text == "går inte att skriva"
