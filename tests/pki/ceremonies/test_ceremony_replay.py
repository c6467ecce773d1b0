"""A ceremony is done again on throwaway tokens: it agrees with its protocol, tells where it does not, and leaves nothing."""

import json
import os
import re
import tempfile
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from pki.ceremonies import replay, scratch
from pki.domain.ceremony_file import parse
from pki.domain.transcripts import differences, structure
from pki.hsm import hsm_for
from pki.models import CertificateAuthority, KeyCeremony
from tests.pki.conftest import small_file

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("places")]


@pytest.fixture
def places(monkeypatch, tmp_path):
    """Where this process makes folders for a while: in /tmp those of others come and go."""
    folder = tmp_path / "places"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


def everything() -> dict[str, object]:
    """All rows of `pki`, all keys of the tokens and all files of the ceremony, as they are now."""
    models = apps.get_app_config("pki").get_models()
    found: dict[str, object] = {model._meta.db_table: list(model.objects.order_by("pk").values()) for model in models}
    found |= {label: hsm_for(label).inventory() for label in (settings.PKCS11_TOKEN, settings.PKCS11_ROOT_TOKEN)}
    for folder in (Path(settings.PKI_STATUS_DIR), Path(settings.PKI_CEREMONY_DIR)):
        found |= {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found["places"] = sorted(path.name for path in Path(tempfile.gettempdir()).iterdir())
    return found


def test_it_agrees_with_the_protocol_and_leaves_nothing(small_pki, tmp_path, capsys):
    file = tmp_path / "small.yaml"
    file.write_bytes(small_file())
    before = everything()
    call_command("pki_ceremony", str(file), replay=True)
    assert "stämmer med protokollet" in capsys.readouterr().out
    assert everything() == before


def test_it_tells_where_the_protocol_says_something_else(small_pki):
    made = replay.replay(parse(small_file()))
    assert made.recorded
    recorded = json.loads(KeyCeremony.objects.get().transcript)
    assert differences(structure(recorded), made.structure) == []
    recorded["authorities"][1]["not_after"] = "2050-01-01T00:00:00+00:00"
    recorded["keys"][0]["attributes"]["EXTRACTABLE"] = True
    del recorded["ocsp_signers"][0]
    found = differences(structure(recorded), made.structure)
    assert len(found) == 3
    assert any(re.search(r"authorities, \S+ 1, not_after: 2050.* i protokollet, 2049.* i uppspelningen", line) for line in found)
    assert any("attributes, EXTRACTABLE: True i protokollet, False" in line for line in found)
    assert any("gjordes men finns inte i protokollet" in line for line in found)


def test_a_file_that_was_not_followed_is_tried_after_those_that_were(small_pki, tmp_path, capsys):
    file = tmp_path / "next.yaml"
    file.write_bytes(next_file())
    before = everything()
    call_command("pki_ceremony", str(file), replay=True)
    told = capsys.readouterr().out
    assert "inget protokoll att jämföra med" in told
    assert "DEMO SITHS e-id Function CA v2" in told
    assert everything() == before
    assert CertificateAuthority.objects.filter(slug="function").count() == 1


def test_what_cannot_be_followed_there_is_told(own_tokens, tmp_path):
    file = tmp_path / "next.yaml"
    file.write_bytes(next_file())
    with pytest.raises(CommandError, match="det finns ingen rot root"):
        call_command("pki_ceremony", str(file), replay=True)


def next_file() -> bytes:
    """A ceremony that rests on another one's root."""
    head, _, tail = small_file().partition(b"authorities:\n")
    function = tail[tail.index(b"  - slug: function") : tail.index(b"  - slug: demo-bulk")]
    old, new = b"    common_name: DEMO SITHS e-id Function CA v1", b"    common_name: DEMO SITHS e-id Function CA v2"
    changed = function.replace(old, b"    generation: 2\n" + new)
    return head.replace(b"secret_keys: true", b"secret_keys: false") + b"authorities:\n" + changed


class TestScratch:
    """What keeps the replay apart, each on its own."""

    def test_a_session_that_may_write_is_refused(self):
        with pytest.raises(scratch.NotScratch):
            scratch.begin()
        with pytest.raises(scratch.NotScratch):
            scratch.check()

    def test_the_process_is_refused_the_real_tokens_and_folders(self, own_tokens, tmp_path):
        with pytest.raises(scratch.NotScratch):
            replay.inside(tmp_path)
        assert not CertificateAuthority.objects.exists()

    def test_the_database_itself_refuses_a_write_to_a_real_table(self, monkeypatch):
        monkeypatch.setenv("PGOPTIONS", scratch.READ_ONLY)
        connection.close()
        try:
            scratch.begin()
            with pytest.raises(DatabaseError, match="read-only"), connection.cursor() as cursor:
                cursor.execute("INSERT INTO public.pki_profileversion SELECT * FROM public.pki_profileversion")
            with pytest.raises(DatabaseError, match="read-only"), connection.cursor() as cursor:
                cursor.execute("UPDATE django_migrations SET name = name")
        finally:
            monkeypatch.delenv("PGOPTIONS")
            connection.close()
        assert "PGOPTIONS" not in os.environ
