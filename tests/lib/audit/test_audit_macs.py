"""MACs by a key of the token: whatever a superuser does to the chain in the database, the exact row is named."""

import datetime as dt
import hmac

import pytest

from pki.models import Event, EventMacs, EventSeal, HsmKey, KeyPurpose
from siths_portal import tasks
from siths_portal.celery import SCHEDULE
from siths_portal.lib import clock, ports
from siths_portal.lib.audit import macs
from siths_portal.lib.audit.keys import AuditKeys
from siths_portal.wiring import chains
from tests.lib.audit.audit_world import attacker, first_chain, record, verify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("audit_token")]


@pytest.fixture
def chain():
    """Twenty sealed events of `pki` with MACs in two blocks: 1 to 8, and 9 to 20."""
    first_chain("chain with MACs", two_blocks)
    assert [(block.first, block.last) for block in EventMacs.objects.order_by("first")] == [(1, 8), (9, 20)]
    return list(EventSeal.objects.order_by("seq"))


def two_blocks():
    ports.get(AuditKeys).mac_key()
    tasks.seal()
    made = EventSeal.objects.count()  # the key is an event too
    record(8 - made)
    tasks.seal()
    tasks.mac()
    record(12)
    tasks.seal()
    tasks.mac()


def test_an_untouched_chain_is_vouched_for(chain):
    text, code = verify()
    assert code == 0
    assert "pki: 20 sigill stämmer, 20 styrkta av HSM, ingen händelse väntar på sigill" in text
    record(3)
    tasks.seal()
    text, code = verify()
    assert (code, "pki: 23 sigill stämmer, 20 styrkta av HSM, 3 väntar på MAC" in text) == (0, True)
    assert "pki: 9 sigill stämmer, 6 styrkta av HSM, 3 väntar på MAC" in verify("--from", "15")[0]


def _inserted(who, *, seal):
    forged = who.insert_event(5)
    if seal:
        who.renumber(5, 1)
        who.insert_seal(6, forged)
        who.recompute(6)


def _removed(who, *, recompute):
    who.remove_event(5)
    who.remove_seal(5)
    who.renumber(5, -1)
    if recompute:
        who.recompute(5)


def _do(*acts):
    def run(who):
        for act in acts:
            act(who)

    return run


EDITS = ("facts = '{}'", "actor_ref = 'user:x'", "at = at - interval '1 microsecond'", "action = 'x'", "subject_seq = 4")
MACS = "UPDATE pki_eventmacs SET macs ="

# What is done, the seal that is named, and the words.
TAMPERING = {
    **{
        f"edit {change.split()[0]}": (lambda who, change=change: who.edit(5, change), 5, "är ändrad; sigillet är det som HSM")
        for change in EDITS
    },
    "edit the first": (lambda who: who.edit(1), 1, "är ändrad; sigillet är det som HSM"),
    "edit the last": (lambda who: who.edit(20), 20, "är ändrad; sigillet är det som HSM"),
    "delete an event": (lambda who: who.remove_event(5), 5, "saknas"),
    "delete the last event": (lambda who: who.remove_event(20), 20, "saknas"),
    "delete a seal": (lambda who: who.remove_seal(5), 5, "sigillet saknas"),
    "delete event and seal": (_do(lambda who: who.remove_event(5), lambda who: who.remove_seal(5)), 5, "sigillet saknas"),
    "delete both and renumber": (lambda who: _removed(who, recompute=False), 5, "eller dess sigill är ändrat"),
    "delete both and recompute": (lambda who: _removed(who, recompute=True), 5, "inte det som HSM-nyckeln styrkte"),
    "insert an event": (lambda who: _inserted(who, seal=False), 6, "är inskjuten före kedjans slut, utan sigill"),
    "insert with a seal and recompute": (lambda who: _inserted(who, seal=True), 6, "inte det som HSM-nyckeln styrkte"),
    "swap seals": (lambda who: who.swap_seals(5, 6), 5, "ordningen är ändrad"),
    "swap events": (lambda who: who.swap_events(5, 6), 5, "är ändrad; sigillet är det som HSM"),
    "swap events and recompute": (
        _do(lambda who: who.swap_events(5, 6), lambda who: who.recompute()),
        5,
        "inte det som HSM-nyckeln styrkte",
    ),
    "move an event to the end": (lambda who: who.edit(5, "xid = xid + 1000000000"), 5, "är flyttat"),
    "move an event to the start": (lambda who: who.edit(9, "xid = 3"), 9, "är flyttad"),
    "edit a seal": (
        lambda who: who.sql("UPDATE pki_eventseal SET digest = sha256('x') WHERE seq = 5"),
        5,
        "är ändrat; händelsen",
    ),
    "edit a seal's place": (
        lambda who: who.sql("UPDATE pki_eventseal SET event_xid = event_xid + 1 WHERE seq = 5"),
        5,
        "annat transaktionsnummer",
    ),
    "recompute everything": (_do(lambda who: who.edit(5), lambda who: who.recompute()), 5, "inte det som HSM-nyckeln styrkte"),
    "recompute from the row on": (
        _do(lambda who: who.edit(12), lambda who: who.recompute(12)),
        12,
        "inte det som HSM-nyckeln styrkte",
    ),
    "truncate seals": (lambda who: who.sql("TRUNCATE pki_eventseal"), 1, "sigill saknas fram till nummer 20"),
    "truncate events": (lambda who: who.sql("TRUNCATE pki_event"), 1, "saknas"),
    "truncate all": (
        lambda who: who.sql("TRUNCATE pki_event, pki_eventseal, pki_eventmacs"),
        1,
        "sigill saknas fram till nummer 20",
    ),
    "cut the tail": (lambda who: who.cut(14), 15, "sigill saknas fram till nummer 20"),
    "cut the tail within a block": (lambda who: who.cut(6), 7, "sigill saknas fram till nummer 20"),
    "cut the last event": (lambda who: who.cut(19), 20, "sigill saknas fram till nummer 20"),
    "remove the first MACs": (lambda who: who.sql("DELETE FROM pki_eventmacs WHERE first = 1"), 1, "MAC saknas"),
    "remove the last MACs": (
        lambda who: who.sql("DELETE FROM pki_eventmacs WHERE first = 9"),
        9,
        "MAC saknas fram till nummer 20",
    ),
    "remove all MACs": (lambda who: who.sql("TRUNCATE pki_eventmacs"), 1, "MAC saknas fram till nummer 20"),
    "recompute and remove the MACs": (
        _do(lambda who: who.edit(5), lambda who: who.recompute(), lambda who: who.sql("TRUNCATE pki_eventmacs")),
        1,
        "MAC saknas fram till nummer 20",
    ),
    "cut a block's MACs": (lambda who: who.sql(f"{MACS} substr(macs, 1, 200) WHERE first = 1"), 7, "MAC saknas"),
    "edit a MAC": (
        lambda who: who.sql(f"{MACS} set_byte(macs, 64, 255 - get_byte(macs, 64)) WHERE first = 9"),
        11,
        "inte det som HSM-nyckeln styrkte",
    ),
    "shorten a block": (lambda who: who.sql("UPDATE pki_eventmacs SET last = 7 WHERE first = 1"), 8, "MAC saknas"),
    "lengthen a block": (lambda who: who.sql("UPDATE pki_eventmacs SET last = 30 WHERE first = 1"), 9, "MAC saknas"),
    "move a block": (lambda who: who.sql("UPDATE pki_eventmacs SET first = 10 WHERE first = 9"), 9, "MAC saknas"),
    "name another key": (
        lambda who: who.sql("UPDATE pki_eventmacs SET key_id = 'ff' WHERE first = 9"),
        9,
        "MAC-nyckeln är okänd",
    ),
    "take the key from the inventory": (
        lambda who: who.sql("DELETE FROM pki_hsmkey WHERE purpose = 'audit-mac'"),
        1,
        "MAC-nyckeln är okänd",
    ),
}


@pytest.mark.parametrize("case", TAMPERING)
def test_tampering_is_found_at_its_row_and_no_job_heals_it(chain, case):
    """Sealing and MACs go on afterwards or stop, and the row stays named."""
    act, seq, words = TAMPERING[case]
    with attacker() as who:
        act(who)
    text, code = verify()
    assert code == 1
    (line,) = [each for each in text.splitlines() if each.startswith("pki: ")]
    assert line.startswith(f"pki: FEL vid sigill {seq}: ")
    assert words in line
    assert "är inte styrkta" in line
    record(2)
    for _ in range(2):
        tasks.seal()
        tasks.mac()
    text, code = verify("--app", "pki")
    assert (code, f"pki: FEL vid sigill {seq}: " in text) == (1, True), text


def test_the_time_that_is_at_stake(chain):
    start = clock.now()
    for minutes in range(1, 5):
        with clock.moved_to(start + dt.timedelta(minutes=minutes)):
            record(1)
    tasks.seal()
    tasks.mac()
    with attacker() as who:
        who.edit(22)

    def at(minutes):
        return f"{(start + dt.timedelta(minutes=minutes)).astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M:%S}"

    # Only the one event was touched: the next is vouched for.
    assert f"händelser från {at(1)} till {at(3)} är inte styrkta" in verify()[0]
    with attacker() as who:
        who.recompute(22)
    assert f"händelser från {at(1)} till {at(4)} är inte styrkta" in verify()[0]


def test_without_a_pin_it_says_what_it_did_not_check(chain, settings):
    settings.PKCS11_PIN_FILE = ""
    text, code = verify()
    assert code == 0
    assert "pki: 20 sigill stämmer, MAC inte kontrollerade (ingen PIN här)" in text
    assert "MAC är inte kontrollerade: bara hashar, ankare och signerade huvuden stämmer" in text
    assert verify("--macs")[1] == 1
    with attacker() as who:
        who.edit(5)
    text, code = verify()
    assert (code, "pki: FEL vid sigill 5: " in text) == (1, True)


def test_with_a_token_that_does_not_answer(chain, settings):
    HsmKey.objects.filter(purpose=KeyPurpose.AUDIT).update(token_label="nowhere")
    text, code = verify()
    assert (code, "MAC inte kontrollerade (token svarar inte)" in text) == (0, True)
    assert verify("--macs")[1] == 1
    record(1)
    tasks.seal()
    tasks.mac()  # is logged, and left for later
    assert EventMacs.objects.count() == 2


def test_an_event_that_was_changed_before_its_mac_gets_none(chain):
    record(5)
    tasks.seal()
    with attacker() as who:
        who.edit(23)
    tasks.mac()
    assert EventMacs.objects.count() == 2
    assert "pki: FEL vid sigill 23: " in verify()[0]


def test_a_rewritten_chain_is_not_continued_even_without_its_anchors(chain, settings):
    """Who can also remove the files still does not get MACs over what he wrote."""
    with attacker() as who:
        who.edit(20)
        who.recompute(20)
    for file in settings.AUDIT_ANCHOR_DIR.glob("*.pki*.json"):
        file.unlink()
    record(2)
    tasks.seal()
    tasks.mac()
    assert EventMacs.objects.count() == 2
    assert "pki: FEL vid sigill 20: sigillet är inte det som HSM-nyckeln styrkte" in verify()[0]


def test_keys_change_with_the_year_and_old_ones_still_verify(chain):
    (old,) = set(EventMacs.objects.values_list("key_id", flat=True))
    with clock.moved_to(clock.now() + dt.timedelta(days=366)):
        record(3)
        tasks.seal()
        tasks.mac()
        new = EventMacs.objects.get(first=21).key_id
        assert new != old
        text, code = verify()
        assert (code, "24 styrkta av HSM" in text or "23 styrkta av HSM" in text) == (0, True), text
        with attacker() as who:
            who.edit(3)
            who.recompute()
        assert "pki: FEL vid sigill 3: sigillet är inte det som HSM" in verify()[0]
    labels = HsmKey.objects.filter(purpose=KeyPurpose.AUDIT).values_list("label", flat=True)
    assert len({label.rpartition("/")[2] for label in labels}) == 2


def test_a_mac_is_an_hmac_by_a_key_that_the_token_derived(chain):
    """The construction, written down a second time (RFC 2104)."""
    block = EventMacs.objects.get(first=9)
    keys = ports.get(AuditKeys)
    block_key = keys.derive(block.key_id, b"siths-portal audit block 1\x00pki\x00" + (9).to_bytes(8))
    for place, seal in enumerate(chain[8:]):
        expected = hmac.new(block_key, seal.seq.to_bytes(8) + bytes(seal.digest), "sha256").digest()
        assert bytes(block.macs)[32 * place : 32 * place + 32] == expected


def test_every_application_has_its_own(chain):
    """A block of one application's is none of another's, also with the same numbers."""
    keys = ports.get(AuditKeys)
    key_id = keys.mac_key()
    made = {macs._block_key(keys, key_id, each.app, 1) for each in chains.all_chains()}
    assert len(made) == len(chains.all_chains()) == 4


def test_two_jobs_at_once_make_each_mac_once(chain):
    import threading

    from django.db import connection

    record(30)
    tasks.seal()

    def run():
        tasks.mac()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    blocks = list(EventMacs.objects.order_by("first").values_list("first", "last"))
    assert [first for first, _ in blocks] == [1, *[last + 1 for _, last in blocks[:-1]]]
    assert "50 styrkta av HSM" in verify()[0]


def test_a_long_backlog_is_worked_off(chain):
    Event.objects.bulk_create(
        Event(at=clock.now(), actor_ref="system:test", action="thing.done", subject_type="thing", subject_ref=str(n), facts={})
        for n in range(2500)
    )
    tasks.seal()
    tasks.mac()
    assert EventMacs.objects.order_by("-first").first().last == 2520
    assert "pki: 2520 sigill stämmer, 2520 styrkta av HSM" in verify()[0]


def test_the_task_is_scheduled_where_the_token_is():
    assert SCHEDULE["audit.mac"] == ("audit.mac", 5, "pki")
