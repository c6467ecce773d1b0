"""What an import revokes is heard of above, at once and by those who look for what they missed."""

import pytest

from pki import service
from pki.models import CaImport, Certificate, CertificateAuthority, Revocation
from pki.takeover import lifecycle
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from siths_portal.lib.processes import jobs
from tests.pki.takeover import takeover_world as world
from tests.pki.takeover.takeover_world import used_ca

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_tokens")]


@pytest.mark.parametrize("by", ["data", "list"])
def test_a_certificate_that_was_good_here_is_told_as_revoked_and_those_that_came_so_are_not(tmp_path, monkeypatch, by):
    old = used_ca(tmp_path / "old", 3, {1: "superseded"})
    old.move_key()
    first = world.told(old)
    folder = world.manifest(tmp_path / "first", old, "jsonl")
    world.as_jsonl(folder, first)
    world.approve(folder)
    world.run(folder)
    assert not Revocation.objects.exists()
    since, woken = clock.now(), []
    monkeypatch.setattr(jobs, "_wake", lambda name, _queue, ids: woken.append((name, ids)))
    old.revoke(2, "keyCompromise")
    folder = world.manifest(tmp_path / "second", old, "jsonl")
    if by == "data":
        world.as_jsonl(folder, world.told(old))
        world.approve(folder)
        world.run(folder)
    else:
        world.as_jsonl(folder, first)
        world.add_crl(folder, old.crl())
        world.approve(folder)
        with pytest.raises(world.CommandError, match="avvikelser"):
            world.run(folder)
    row = Certificate.objects.get(serial=first[2]["serial"])
    assert row.status == "revoked"
    assert list(service.revoked_since(since)) == [row.id]
    record = Revocation.objects.get()
    assert (record.effective_at, record.reason, record.actor_ref) == (row.revoked_at, "keyCompromise", "system:import")
    assert [ids for name, ids in woken if name == "pki.tell_revoked"] == [{"certificate_ids": [str(row.id)]}]


def test_files_that_change_while_they_are_read_end_nothing_and_the_approved_ones_are_compared_again(tmp_path):
    """What others approved is what is imported: a row that somebody slipped in meanwhile is not good in the end."""
    old = used_ca(tmp_path / "old", 3, {1: "superseded"})
    old.move_key()
    folder = world.manifest(tmp_path / "in", old, "jsonl")
    approved = world.told(old)
    world.as_jsonl(folder, approved)
    world.approve(folder)
    what = lifecycle.asked(folder)
    world.as_jsonl(folder, [{"serial": each["serial"], "der": each["der"], "status": "issued"} for each in approved])
    with pytest.raises(Conflict, match="import-files-changed"):
        lifecycle.carry_out(what, actor_ref="operator:x", workers=1, say=lambda _ledger, _position: None)
    ca = CertificateAuthority.objects.get(slug="function")
    assert (ca.state, CaImport.objects.get().state) == ("planned", "certificates")
    world.as_jsonl(folder, approved)
    world.run(folder)
    ca.refresh_from_db()
    assert (ca.state, CaImport.objects.get().state) == ("status_only", "finished")
    statuses = dict(Certificate.objects.filter(ca=ca, subject_ref="").values_list("serial", "status"))
    assert statuses == {each["serial"]: each["status"] for each in approved}
