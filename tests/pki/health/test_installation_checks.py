"""What the whole installation stands on: volumes, backups and the TLS certificates of our addresses."""

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pki.domain.findings import Severity
from pki.health import installation_checks as checks
from siths_portal.lib import clock
from siths_portal.lib.files import backup_names
from tests.tls import SmallCa

OK, WARNING, ERROR = Severity.OK, Severity.WARNING, Severity.ERROR


@pytest.mark.parametrize(("free", "severity"), [(3_000_000_000, OK), (1_900_000_000, WARNING), (400_000_000, ERROR)])
def test_a_volume_is_judged_by_its_free_bytes(settings, tmp_path, monkeypatch, free, severity):
    settings.VAR_DIR, settings.BACKUP_DIR = tmp_path, str(tmp_path / "backup")
    monkeypatch.setattr(checks, "statvfs", lambda _folder: SimpleNamespace(f_bavail=free // 1000, f_frsize=1000))
    assert [(each.subject, each.severity) for each in checks.volumes()] == [("volym var", severity)]
    (tmp_path / "backup").mkdir()
    assert len(list(checks.volumes())) == 1, "the same volume once"


@pytest.fixture
def backups(settings, tmp_path) -> Path:
    settings.BACKUP_DIR, settings.BACKUP_RECIPIENT_FILES = str(tmp_path / "backup"), ["first", "second"]
    folder = tmp_path / "backup"
    folder.mkdir()
    return folder


def test_without_recipients_nobody_has_set_up_backups(backups, settings):
    settings.BACKUP_RECIPIENT_FILES = []
    assert list(checks.backup()) == []


@pytest.mark.parametrize(("hours", "severity"), [(1, OK), (29, OK), (31, WARNING), (55, ERROR)])
def test_the_newest_complete_backup_counts(backups, hours, severity):
    for ago in (hours, hours + 24):
        (backups / backup_names.name_of(clock.now() - dt.timedelta(hours=ago))).mkdir()
    (backups / f".part-{backup_names.name_of(clock.now())}").mkdir()
    (found,) = checks.backup()
    assert (found.severity, round(found.value / 3600)) == (severity, hours)


def test_no_backup_and_no_folder_are_seen(backups):
    (found,) = checks.backup()
    assert (found.severity, found.text) == (WARNING, "ingen finns i mappen")
    backups.rmdir()
    (found,) = checks.backup()
    assert (found.severity, found.text) == (WARNING, "mappen går inte att läsa (FileNotFoundError)")


@pytest.fixture
def address(tmp_path, settings) -> Iterator[str]:
    """A front on https that shows a certificate of the small CA, which is valid for some days; the other addresses are http."""
    certificate, key = SmallCa().issue("localhost", not_after=clock.now() + dt.timedelta(days=90)).write(tmp_path, "front")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            try:
                while True:
                    with listening.accept()[0] as accepted, context.wrap_socket(accepted, server_side=True):
                        pass
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        for name in ("PORTAL_BASE_URL", "MINASIDOR_BASE_URL", "LOGIN_BASE_URL"):
            setattr(settings, name, "http://localhost")
        settings.API_BASE_URL = f"https://127.0.0.1:{listening.getsockname()[1]}"
        yield settings.API_BASE_URL.removeprefix("https://")
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_a_certificate_is_judged_as_a_client_sees_it(address):
    (found,) = checks.certificates()
    assert (found.subject, found.severity, found.measure) == (f"tls {address}", OK, "days")
    for left, severity in ((29, WARNING), (6, ERROR), (-1, ERROR)):
        with clock.moved_to(clock.now() + dt.timedelta(days=found.value - left)):
            (later,) = checks.certificates()
        assert (later.severity, later.value) == (severity, left)


def test_an_address_that_does_not_answer_is_not_judged(settings):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    for name in ("PORTAL_BASE_URL", "MINASIDOR_BASE_URL", "LOGIN_BASE_URL", "API_BASE_URL"):
        setattr(settings, name, f"https://127.0.0.1:{port}")
    assert list(checks.certificates()) == []
