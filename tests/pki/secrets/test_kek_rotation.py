"""KEKs: one a year, a limited number of seals, sealing anew in the background, and what is said when one is lost (E3)."""

import datetime as dt

import pytest
from django.conf import settings as django_settings

from pki.hsm import Hsm, HsmConfigError, HsmSealKeyLost, HsmUnavailable, hsm_for
from pki.hsm.token_keys import WantedKey
from pki.models import Event, HsmKey, KeyPurpose, Secret, SecretState
from pki.secrets import keks, resealing, sealing
from siths_portal.lib import clock

pytestmark = pytest.mark.django_db(transaction=True)


def make_kek(label: str = "siths/test/kek/2026", *, age: dt.timedelta = dt.timedelta(0)) -> HsmKey:
    token = hsm_for(django_settings.PKCS11_TOKEN)
    kek = WantedKey(token, KeyPurpose.KEK, label, "aes-256").ensure(actor_ref="test")
    kek.created_at = clock.now() - age
    kek.save()
    return kek


def sealed(number: int, kek: HsmKey) -> Secret:
    secret = Secret(
        owner_ref=f"carrier:{number}", expected_header={"serial": str(number)}, state=SecretState.SEALED,
        kek_id=kek.key_id, created_at=clock.now(), sealed_at=clock.now(),
    )  # fmt: skip
    token = hsm_for(kek.token_label)
    secret.sealed = token.seal(kek.key_id, f"puk-{number}".encode(), sealing.associated_data(secret, secret.seal_version))
    secret.save()
    return secret


def plaintexts() -> list[bytes]:
    return [sealing.open_sealed(secret) for secret in Secret.objects.order_by("owner_ref")]


YEAR = dt.timedelta(days=366)


def test_a_new_year_brings_a_new_key_and_everything_is_moved_to_it(own_tokens, monkeypatch):
    monkeypatch.setattr(resealing, "BATCH", 3)
    old = make_kek("siths/test/kek/2020", age=YEAR)
    for number in range(8):
        sealed(number, old)
    before, blobs = plaintexts(), set(Secret.objects.values_list("sealed", flat=True))
    result = resealing.rotate()
    new = keks.all_keks().first()
    assert (result.done, result.broken, result.lost, result.left) == (8, 0, (), 0)
    assert new.label == f"siths/test/kek/{clock.today():%Y}"
    assert new.key_id != old.key_id
    assert set(Secret.objects.values_list("kek_id", flat=True)) == {new.key_id}
    assert plaintexts() == before == [f"puk-{number}".encode() for number in range(8)]
    assert not blobs & set(Secret.objects.values_list("sealed", flat=True))
    events = Event.objects.filter(action="secrets.resealed", subject_ref=new.key_id)
    assert [event.facts["count"] for event in events.order_by("id")] == [3, 3, 2]
    assert {event.facts["from"] for event in events} == {old.key_id}
    assert hsm_for(old.token_label).find_secret(old.key_id)  # a backup may still need it
    assert resealing.rotate().done == 0
    assert keks.all_keks().count() == 2


def test_this_years_key_stays(own_tokens):
    kek = make_kek()
    sealed(1, kek)
    assert resealing.rotate().done == 0
    assert keks.ensure_current() == kek
    assert keks.all_keks().count() == 1


def test_before_the_ceremony_there_is_nothing_to_do(own_tokens):
    assert keks.ensure_current() is None
    assert resealing.rotate().done == 0
    with pytest.raises(HsmConfigError, match="no key"):
        keks.take()


def test_a_run_does_so_much_and_the_next_goes_on(own_tokens, monkeypatch):
    monkeypatch.setattr(resealing, "BATCH", 2)
    old = make_kek("siths/test/kek/2020", age=YEAR)
    for number in range(5):
        sealed(number, old)
    runs = [resealing.rotate(limit=2) for _ in range(3)]
    assert [(run.done, run.left) for run in runs] == [(2, 3), (2, 1), (1, 0)]
    assert len(plaintexts()) == 5


def test_a_key_takes_so_many_seals_and_no_more(own_tokens, settings):
    settings.KEK_SEALS_LIMIT = 10
    kek = make_kek()
    assert keks.take(8).key_id == kek.key_id
    with pytest.raises(HsmConfigError, match="no key"):
        keks.take(3)
    assert keks.take(2).seals == 8  # as it was before these
    assert HsmKey.objects.get().seals == 10
    with pytest.raises(HsmConfigError, match="no key"):
        keks.take()
    new = keks.ensure_current()
    assert new.label == f"siths/test/kek/{clock.today():%Y}" + ("-2" if kek.label.endswith(f"{clock.today():%Y}") else "")
    assert keks.take().key_id == new.key_id


def test_seals_are_counted_before_they_are_made(own_tokens, settings, monkeypatch):
    old = make_kek("siths/test/kek/2020", age=YEAR)
    for number in range(3):
        sealed(number, old)
    seen = []
    seal = Hsm.seal

    def counted(self, kek, plaintext, aad):
        seen.append(HsmKey.objects.get(key_id=kek).seals)
        return seal(self, kek, plaintext, aad)

    monkeypatch.setattr(Hsm, "seal", counted)
    resealing.rotate()
    assert seen == [3, 3, 3]


def test_a_lost_key_is_said_to_be_lost_and_holds_nothing_else_up(own_tokens, monkeypatch):
    lost, old = make_kek("siths/test/kek/2020", age=2 * YEAR), make_kek("siths/test/kek/2021", age=YEAR)
    gone, kept = sealed(1, lost), sealed(2, old)
    hsm_for(lost.token_label)._run_writing(lambda work: _destroy_secret(work, lost.key_id))
    with pytest.raises(HsmSealKeyLost, match=lost.key_id):
        sealing.open_sealed(gone)
    result = resealing.rotate()
    assert (result.done, result.lost, result.left) == (1, (lost.key_id,), 1)
    gone.refresh_from_db()
    kept.refresh_from_db()
    assert gone.kek_id == lost.key_id
    assert gone.state == "sealed"
    assert sealing.open_sealed(kept) == b"puk-2"


def _destroy_secret(work, key_id: str) -> None:
    from pkcs11 import ObjectClass

    from pki.hsm import objects

    objects.lookup(work, ObjectClass.SECRET_KEY, key_id).destroy()


def test_nothing_more_is_sealed_under_a_key_that_the_inventory_missed(own_tokens):
    from pki.hsm import inventory

    kek = make_kek()
    hsm_for(kek.token_label)._run_writing(lambda work: _destroy_secret(work, kek.key_id))
    inventory.run()
    with pytest.raises(HsmConfigError, match="no key"):
        keks.take()
    new = keks.ensure_current()
    assert new.key_id != kek.key_id
    assert keks.take() == new


def test_a_broken_blob_stays_and_holds_nothing_up(own_tokens):
    old = make_kek("siths/test/kek/2020", age=YEAR)
    first, second = sealed(1, old), sealed(2, old)
    Secret.objects.filter(id=first.id).update(sealed=second.sealed)
    result = resealing.rotate()
    assert (result.done, result.broken, result.left) == (1, 1, 1)
    assert Secret.objects.get(id=first.id).kek_id == old.key_id
    second.refresh_from_db()
    assert sealing.open_sealed(second) == b"puk-2"


def test_a_secret_destroyed_meanwhile_stays_destroyed(own_tokens, monkeypatch):
    old = make_kek("siths/test/kek/2020", age=YEAR)
    secret = sealed(1, old)
    opened = resealing.open_sealed

    def slow(each):
        Secret.objects.filter(id=secret.id).update(state=SecretState.DESTROYED, sealed=None)
        return opened(each)

    monkeypatch.setattr(resealing, "open_sealed", slow)
    assert resealing.rotate().done == 0
    secret.refresh_from_db()
    assert (secret.state, secret.sealed) == ("destroyed", None)
    assert not Event.objects.filter(action="secrets.resealed").exists()


def test_a_token_that_fails_leaves_what_is_done(own_tokens, monkeypatch):
    monkeypatch.setattr(resealing, "BATCH", 1)
    old = make_kek("siths/test/kek/2020", age=YEAR)
    for number in range(3):
        sealed(number, old)
    seal, calls = Hsm.seal, []

    def failing(self, kek, plaintext, aad):
        calls.append(kek)
        if len(calls) == 2:
            raise HsmUnavailable("away")
        return seal(self, kek, plaintext, aad)

    monkeypatch.setattr(Hsm, "seal", failing)
    assert resealing.rotate().done == 1
    assert plaintexts() == [b"puk-0", b"puk-1", b"puk-2"]
    assert resealing.rotate().done == 2
    assert plaintexts() == [b"puk-0", b"puk-1", b"puk-2"]
