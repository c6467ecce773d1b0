"""The inventory: what lies in the tokens against what the rows say."""

import datetime as dt

import pkcs11
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import connection
from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from pki.hsm import HsmError, HsmUnavailable, hsm_for, inventory
from pki.hsm.token_keys import _LOCK, SERVICE_KEYS, WantedKey, keys_at_rest, retire
from pki.models import Event, HsmKey, KeyFinding, KeyInventory, KeyPurpose
from pki.operators.keys import latest_inventory
from siths_portal.lib import clock
from tests.pki.hsm.hsm_faults import intercepted
from tests.pki_fixtures import raw_session

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rows(own_tokens):
    """The house's own keys in a token that the test may spoil, and a CA's in the root's."""
    token = hsm_for(settings.PKCS11_TOKEN)
    made = {
        purpose: WantedKey(token, purpose, f"siths/test/{purpose}/2026", algorithm).ensure(actor_ref="test")
        for purpose, algorithm in SERVICE_KEYS.items()
    }
    root = hsm_for(settings.PKCS11_ROOT_TOKEN)
    made[KeyPurpose.CA] = WantedKey(root, KeyPurpose.CA, "siths/test/root-g1/ca/2026", "ec-p384").ensure(actor_ref="test")
    return made


def found(report):
    return {(each.kind, each.label) for each in report.problems}


def test_what_is_as_recorded_is_no_alarm(rows):
    before = clock.now()
    assert latest_inventory() is None
    report = inventory.run()
    assert report.ok
    assert {(each.label, each.state) for each in report.tokens} == {
        (settings.PKCS11_TOKEN, "read"),
        (settings.PKCS11_ROOT_TOKEN, "read"),
    }
    assert {row.finding for row in HsmKey.objects.all()} == {"as-recorded"}
    assert all(before <= row.checked_at <= clock.now() for row in HsmKey.objects.all())
    assert latest_inventory() == report
    event = Event.objects.get(action="inventory.completed")
    assert (event.subject_ref, event.facts["problem_count"], event.facts["keys"]) == (str(report.id), 0, len(rows))


def test_the_ceremonys_keys_are_as_recorded(demo_pki):
    assert inventory.run().problems == ()
    assert not HsmKey.objects.exclude(finding="as-recorded").exists()


def test_a_key_that_is_gone_is_an_alarm_and_stays_one(rows):
    hsm_for(settings.PKCS11_TOKEN).destroy(rows[KeyPurpose.HEALTH].key_id)
    for _ in range(2):
        report = inventory.run()
        assert not report.ok
        assert found(report) == {("missing", rows[KeyPurpose.HEALTH].label)}
    assert HsmKey.objects.get(purpose="health").finding == "missing"
    assert HsmKey.objects.exclude(purpose="health").filter(finding="as-recorded").count() == len(rows) - 1
    alarm = Event.objects.filter(action="inventory.alarm").latest("id")
    assert [each["key_id"] for each in alarm.facts["problems"]] == [rows[KeyPurpose.HEALTH].key_id]


def test_a_key_that_nobody_recorded_is_an_alarm(rows):
    session = raw_session(settings.PKCS11_TOKEN)
    session.generate_key(KeyType.AES, 256, store=True, id=b"\x01" * 20, label="somebody's")
    parameters = session.create_domain_parameters(
        KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True
    )
    parameters.generate_keypair(store=True, id=b"\x02" * 20, label="another's", mechanism=pkcs11.Mechanism.EC_KEY_PAIR_GEN)
    session.create_object({Attribute.CLASS: ObjectClass.DATA, Attribute.TOKEN: True, Attribute.LABEL: "a note"})
    session.close()
    report = inventory.run()
    assert found(report) == {("unknown", "somebody's"), ("unknown", "another's"), ("unknown", "a note")}
    assert {each.facts["object"] for each in report.problems} == {"secret_key", "private_key", "public_key", "data"}
    assert not HsmKey.objects.exclude(finding="as-recorded").exists()


def test_another_key_in_a_keys_place_is_drift(rows):
    """Same CKA_ID, same label, but brought in from outside: the token itself tells that it is not LOCAL."""
    row = rows[KeyPurpose.HEALTH]
    hsm_for(settings.PKCS11_TOKEN).destroy(row.key_id)
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    point = b"\x04" + numbers.public_numbers.x.to_bytes(32) + numbers.public_numbers.y.to_bytes(32)
    place = {Attribute.TOKEN: True, Attribute.ID: bytes.fromhex(row.key_id), Attribute.LABEL: row.label}
    curve = {Attribute.KEY_TYPE: KeyType.EC, Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    private = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.VALUE: numbers.private_value.to_bytes(32)}
    hidden = {Attribute.SIGN: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
    session = raw_session(settings.PKCS11_TOKEN)
    session.create_object(place | curve | private | hidden)
    session.create_object(place | curve | {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.EC_POINT: b"\x04\x41" + point})
    session.close()
    (problem,) = inventory.run().problems
    assert (problem.kind, problem.key_id) == ("drifted", row.key_id)
    assert {
        name: facts for name, facts in problem.facts.items() if name in ("LOCAL", "NEVER_EXTRACTABLE", "ALWAYS_SENSITIVE")
    } == {
        "LOCAL": [True, False],
        "NEVER_EXTRACTABLE": [True, False],
        "ALWAYS_SENSITIVE": [True, False],
    }
    assert problem.facts["public_key_sha256"][0] != problem.facts["public_key_sha256"][1]
    row.refresh_from_db()
    assert (row.finding, row.finding_facts) == ("drifted", problem.facts)


def test_a_second_object_with_a_keys_id_and_a_lost_public_half(rows):
    row = rows[KeyPurpose.KEK]
    session = raw_session(settings.PKCS11_TOKEN)
    session.generate_key(KeyType.AES, 256, store=True, id=bytes.fromhex(row.key_id), label="a double")
    session.get_key(object_class=ObjectClass.PUBLIC_KEY, id=bytes.fromhex(rows[KeyPurpose.HEALTH].key_id)).destroy()
    session.close()
    report = inventory.run()
    assert found(report) == {("unknown", "a double"), ("drifted", rows[KeyPurpose.HEALTH].label)}


def test_a_key_that_was_to_be_destroyed_and_is_there_is_an_alarm(rows):
    row = rows[KeyPurpose.HEALTH]
    row.retired_at = clock.now()
    row.save()
    report = inventory.run()
    assert {(each.kind, each.facts["retired"]) for each in report.problems} == {("unknown", True)}
    retire(row, hsm_for(settings.PKCS11_TOKEN), actor_ref="test")
    assert inventory.run().ok


def test_the_roots_token_may_be_away_and_no_other(rows, settings):
    inventory.run()
    away = HsmKey.objects.filter(token_label=settings.PKCS11_ROOT_TOKEN)
    away.update(token_label="siths-away")
    settings.PKCS11_ROOT_TOKEN = "siths-away"
    report = inventory.run()
    assert report.ok
    assert ("siths-away", "offline") in {(each.label, each.state) for each in report.tokens}
    settings.PKCS11_ROOT_TOKEN = "another"
    report = inventory.run()
    assert {(each.kind, each.token) for each in report.problems} == {("unreachable", "siths-away")}
    assert away.model.objects.get(token_label="siths-away").finding == "as-recorded"


def test_a_token_that_does_not_answer_is_an_alarm_and_changes_no_row(rows, monkeypatch):
    from pki.hsm import Hsm

    def away(self):
        raise HsmUnavailable("away")

    monkeypatch.setattr(Hsm, "everything", away)
    report = inventory.run()
    assert {each.kind for each in report.problems} == {"unreachable"}
    assert not HsmKey.objects.exclude(finding=KeyFinding.AS_RECORDED, checked_at=None).exists()


@pytest.mark.parametrize("stored", [0, 1])
def test_a_full_token_makes_no_key_no_row_and_no_alarm_once_it_has_room(rows, stored, tally):
    """CKR_DEVICE_MEMORY for the public half or for the private one; the next attempt clears away what was left."""
    token = hsm_for(settings.PKCS11_TOKEN)
    wanted = WantedKey(token, KeyPurpose.OCSP, "siths/test/full/ocsp/2026", "ec-p256")
    calls = []

    def full(call):
        calls.append(call)
        return call() if len(calls) <= stored else 0x31

    with intercepted("C_CopyObject", full), pytest.raises(HsmError, match="DeviceMemory"):
        wanted.ensure(actor_ref="test")
    assert not HsmKey.objects.filter(label=wanted.label).exists()
    assert token.find_label(wanted.label) is None
    row = wanted.ensure(actor_ref="test")
    token.prove(token.find(row.key_id))
    assert inventory.run().ok
    tally.run([row.key_id], HsmKey.objects.filter(label=wanted.label).values_list("key_id", flat=True), "keys")


def test_it_runs_once_a_day(rows):
    first = inventory.run_due()
    assert first is not None
    assert inventory.run_due() is None
    KeyInventory.objects.update(started_at=clock.now() - dt.timedelta(hours=24))
    second = inventory.run_due()
    assert second is not None
    assert latest_inventory() == second


# pg_locks shows the whole cluster, in which other test processes have databases of their own.
HOLDING = "SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND pid = pg_backend_pid()"


def test_no_key_is_made_or_destroyed_while_tokens_and_rows_are_compared(rows, monkeypatch):
    """A key between its making and its row would be an alarm: whoever makes or destroys one waits."""
    with keys_at_rest(), connection.cursor() as cursor:
        cursor.execute(HOLDING, [_LOCK])
        assert cursor.fetchall() == [("ExclusiveLock",)]
    modes = []

    def looking(original):
        def look(self, *arguments):
            with connection.cursor() as cursor:
                cursor.execute(HOLDING, [_LOCK])
                modes.append(cursor.fetchone()[0])
            return original(self, *arguments)

        return look

    from pki.hsm import Hsm

    monkeypatch.setattr(Hsm, "find_label", looking(Hsm.find_label))
    monkeypatch.setattr(Hsm, "everything", looking(Hsm.everything))
    token = hsm_for(settings.PKCS11_TOKEN)
    row = WantedKey(token, KeyPurpose.OCSP, "siths/test/new/ocsp/2026", "ec-p256").ensure(actor_ref="test")
    retire(row, token, actor_ref="test")
    inventory.run()
    assert modes[:2] == ["ShareLock", "ShareLock"]
    assert set(modes[2:]) == {"ExclusiveLock"}
