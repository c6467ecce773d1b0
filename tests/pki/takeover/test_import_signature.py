"""The report of an import is signed by the token, and anybody can verify it (rules/pki 9.6)."""

import json
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import CommandError, call_command
from django.db import InternalError, ProgrammingError, transaction

from pki import tasks
from pki.models import CaImport, Event, HsmKey
from pki.takeover.signatures import DOMAIN
from siths_portal.celery import SCHEDULE
from siths_portal.lib.canonical import sha256_hex
from tests.pki.takeover import takeover_world as world
from tests.pki.takeover.test_import import filled, old

__all__ = ["old"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_tokens")]


@pytest.fixture
def report(old, tmp_path):
    """The JSON file of an import's report; its signature and key lie beside it."""
    folder = filled(tmp_path, old)
    world.approve(folder)
    world.run(folder, report=tmp_path / "report")
    (path,) = (tmp_path / "report").glob("*.json")
    return path


def verified(folder, capsys) -> tuple[str, str]:
    """What `pki_import --verify` prints and says at its end."""
    try:
        call_command("pki_import", str(folder), verify=True)
    except CommandError as error:
        return capsys.readouterr().out, str(error)
    return capsys.readouterr().out, ""


def openssl_verifies(report, key, tmp_path) -> bool:
    (tmp_path / "signed").write_bytes(DOMAIN + report.read_bytes())
    signature = report.with_suffix(".sig")
    command = ["openssl", "dgst", "-sha256", "-verify", key, "-signature", signature, tmp_path / "signed"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout == "Verified OK\n"


def test_openssl_verifies_the_file_as_it_was_written(report, tmp_path):
    assert openssl_verifies(report, report.with_suffix(".pem"), tmp_path)
    event = Event.objects.get(action="import.report_signed")
    row = HsmKey.objects.get(purpose="audit-head")
    assert event.facts["report_sha256"] == sha256_hex(report.read_bytes())
    assert event.facts["key_id"] == row.key_id == CaImport.objects.get().signature_key_id
    assert row.attributes["NEVER_EXTRACTABLE"] is True
    report.write_bytes(report.read_bytes().replace(b'"new":6', b'"new":7'))
    assert not openssl_verifies(report, report.with_suffix(".pem"), tmp_path)


def test_the_command_verifies_by_our_own_keys(report, capsys):
    capsys.readouterr()
    out, refused = verified(report.parent, capsys)
    key_id = CaImport.objects.get().signature_key_id
    assert (out, refused) == (f"{report.name}: signerad av nyckeln {key_id}; står i händelsekedjan\n", "")


def test_a_changed_report_and_a_strangers_signature_are_refused(report, capsys):
    content = report.read_bytes()
    report.write_bytes(content.replace(b'"findings":{}', b'"findings":{"serial":1}'))
    assert report.read_bytes() != content
    out, refused = verified(report.parent, capsys)
    assert "FEL: ingen av våra nycklar har signerat den" in out
    assert refused == f"rapporten stämmer inte: {report.name}"
    stranger = ec.generate_private_key(ec.SECP256R1())
    report.with_suffix(".sig").write_bytes(stranger.sign(DOMAIN + report.read_bytes(), ec.ECDSA(hashes.SHA256())))
    report.with_suffix(".pem").write_bytes(stranger.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert "rapporten stämmer inte" in verified(report.parent, capsys)[1]


def test_a_folder_without_a_signed_report_says_so(report, tmp_path, capsys):
    report.with_suffix(".sig").unlink()
    assert verified(report.parent, capsys)[1] == "Mappen har ingen signerad rapport (import-….json med .sig)."


def test_what_no_command_could_sign_the_worker_signs(old, tmp_path, settings, capsys):
    """A CA whose key is elsewhere may be imported where there is no PIN."""
    folder, pin = filled(tmp_path, old, key=False), settings.PKCS11_PIN_FILE
    world.approve(folder)
    settings.PKCS11_PIN_FILE = ""
    world.run(folder, report=tmp_path / "first")
    assert "rapporten är inte signerad än" in capsys.readouterr().err
    assert {path.suffix for path in (tmp_path / "first").iterdir()} == {".json", ".txt"}
    settings.PKCS11_PIN_FILE = pin
    tasks.sign_import_reports()
    tasks.sign_import_reports()
    event = Event.objects.get(action="import.report_signed")
    assert event.actor_ref == "system:imports"
    world.run(folder, report=tmp_path / "second", json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["repeated"], told["signed_by"]) == (True, event.facts["key_id"])
    assert verified(tmp_path / "second", capsys)[1] == ""
    assert SCHEDULE["pki.sign_import_reports"] == ("pki.sign_import_reports", 3600, "pki")


def test_a_finished_import_stays_as_it_is(report):
    for change in ({"report": {}}, {"signature": b"x"}, {"state": "lists"}, {"signature_key_id": "ab"}):
        with pytest.raises((InternalError, ProgrammingError), match="stay as they are"), transaction.atomic():
            CaImport.objects.update(**change)
