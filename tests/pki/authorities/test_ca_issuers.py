"""The certificate that caIssuers points to is there, also for a CA that no ceremony of ours made (B1.8, B1.9)."""

from pathlib import Path

import pytest
from django.conf import settings

from pki.crl import building
from pki.models import CertificateAuthority
from tests.pki.takeover import takeover_world
from tests.pki.takeover.takeover_world import OldCa


def file_of(ca: CertificateAuthority) -> Path:
    return Path(settings.PKI_STATUS_DIR) / "aia" / f"{ca.file_stem}.cer"


def test_it_is_published_with_each_list_and_what_was_lost_or_spoilt_comes_back(world):
    building.publish_crl(world.first.id)
    for each in (world.first, world.root):
        assert file_of(each).read_bytes() == bytes(each.certificate_der)
    file_of(world.root).unlink()
    file_of(world.first).write_bytes(b"spoilt")
    building.publish_crl(world.first.id)
    for each in (world.first, world.root):
        assert file_of(each).read_bytes() == bytes(each.certificate_der)


def test_a_folder_that_cannot_be_written_holds_no_list_up(world):
    file_of(world.first).parent.parent.mkdir(parents=True, exist_ok=True)
    file_of(world.first).parent.write_bytes(b"a file where the folder should be")
    assert building.publish_crl(world.first.id).entries == 0
    assert building.crl_path(world.first).is_file()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_tokens")
def test_a_ca_that_was_taken_over_has_it_with_its_first_list(tmp_path):
    old = OldCa(tmp_path / "old")
    old.issue(1)
    old.move_key()
    folder = takeover_world.manifest(tmp_path / "in", old, "jsonl")
    takeover_world.as_jsonl(folder, takeover_world.told(old))
    takeover_world.approve(folder)
    takeover_world.run(folder)
    building.publish_due()
    ca = CertificateAuthority.objects.get(slug="function")
    assert file_of(ca).read_bytes() == old.der()
