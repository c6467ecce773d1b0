"""The store that the OCSP responder answers from: what is written is read, by other processes too, and is never turned back."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from pki.ocspd import layout, refresh_requests, writing
from pki.ocspd.layout import ANSWER, PENDING, UNKNOWN, UNKNOWN_VERSION, StoreRecord
from pki.ocspd.reading import Store, StoreMissing
from pki.ocspd.writing import StoreLocked, Writer
from tests import fork_server

NOW = int(time.time())


def record(serial, version=1, *, state=ANSWER, signed=NOW - 60, text=b"", size=100):
    if state == PENDING:
        return StoreRecord(layout.key(1, serial), version, PENDING, not_after=NOW + 10**6)
    der = text or serial.to_bytes(20) * (size // 20)
    return StoreRecord(layout.key(1, serial), version, state, signed, signed + 86_400, NOW + 10**6, der + b"1", der + b"256")


@pytest.fixture
def writer(tmp_path):
    with Writer(tmp_path, segment_bytes=1 << 16) as opened:
        yield opened


def seen(store, serial):
    return store.find(layout.key(1, serial))[3]


def test_what_is_written_is_read(writer, tmp_path):
    rows = [record(serial) for serial in range(1, 300)]
    assert all(writer.put(row) for row in rows)
    store = Store(tmp_path)
    with pytest.raises(StoreMissing):  # not before the first load is whole
        store.find(rows[0].key)
    writer.finish_load()
    store = Store(tmp_path)
    assert [seen(store, serial) for serial in range(1, 300)] == rows
    assert seen(store, 300) is None
    assert store.find(layout.key(1, 300))[1] < 0
    assert store.find(layout.key(2, 5))[1] < 0


def test_a_segment_that_was_emptied_does_not_mislead_readers_that_have_it_mapped(tmp_path):
    """Its number is no other segment's, also after the next writer has cleaned."""
    with Writer(tmp_path, segment_bytes=1 << 16) as first:
        first.put(record(5, UNKNOWN_VERSION, state=UNKNOWN))
        first.finish_load()
        store = Store(tmp_path)
        assert seen(store, 5).state == UNKNOWN
        first.remove(layout.key(1, 5))
    with Writer(tmp_path, segment_bytes=1 << 16) as second:
        assert second.found
        second.put(record(6))
        assert seen(store, 6) == record(6)


def test_a_change_is_seen_at_once(writer, tmp_path):
    writer.put(record(5))
    writer.finish_load()
    store = Store(tmp_path)
    assert seen(store, 5).state == ANSWER
    writer.put(record(5, 2, state=PENDING))
    assert seen(store, 5).state == PENDING
    writer.put(record(5, 2, text=b"revoked"))
    assert seen(store, 5).sha1 == b"revoked1"


# What is stored, what comes, and whether it replaces.
STEPS = {
    "a higher version": (record(5, 1), record(5, 2), True),
    "a lower version": (record(5, 2), record(5, 1), False),
    "a lower version that was signed later": (record(5, 2), record(5, 1, signed=NOW), False),
    "a pending one of a higher version": (record(5, 1), record(5, 2, state=PENDING), True),
    "a pending one of the same version": (record(5, 2), record(5, 2, state=PENDING), False),
    "an old answer over a pending one": (record(5, 2, state=PENDING), record(5, 1), False),
    "the answer that was pending": (record(5, 2, state=PENDING), record(5, 2), True),
    "an earlier answer": (record(5, 2, signed=NOW - 5), record(5, 2, signed=NOW - 6, text=b"x"), False),
    "a later answer": (record(5, 2, signed=NOW - 6), record(5, 2, signed=NOW - 5, text=b"x"), True),
    "the same again": (record(5, 2), record(5, 2), False),
    "an answer after one from the future": (record(5, 2, signed=NOW + 9999), record(5, 2, signed=NOW), True),
    "an answer over an unknown": (record(5, UNKNOWN_VERSION, state=UNKNOWN), record(5, 0, signed=NOW - 99), True),
    "a pending one over an unknown": (record(5, UNKNOWN_VERSION, state=UNKNOWN), record(5, 0, state=PENDING), True),
    "an unknown over an answer": (record(5, 0), record(5, UNKNOWN_VERSION, state=UNKNOWN, signed=NOW), False),
    "an unknown over a pending one": (record(5, 0, state=PENDING), record(5, UNKNOWN_VERSION, state=UNKNOWN, signed=NOW), False),
    "a later unknown": (
        record(5, UNKNOWN_VERSION, state=UNKNOWN),
        record(5, UNKNOWN_VERSION, state=UNKNOWN, signed=NOW, text=b"x"),
        True,
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_nothing_is_turned_back(writer, tmp_path, name):
    stored, comes, replaces = STEPS[name]
    writer.put(stored)
    writer.finish_load()
    assert writer.put(comes) == replaces
    assert seen(Store(tmp_path), 5) == (comes if replaces else stored)


def test_against_a_dictionary(tmp_path):
    """Puts, removals and restarts at random; small segments and a small first table, so that both are outgrown."""
    dice = random.Random(5)
    model, stores = {}, []
    folder = tmp_path / "store"
    writer = Writer(folder, segment_bytes=1 << 16)
    writer.finish_load()
    stores.append(Store(folder))
    for turn in range(20_000):
        serial = dice.randrange(1, 6000)
        key = layout.key(1, serial)
        if dice.random() < 0.1:
            writer.remove(key)
            model.pop(key, None)
        else:
            row = record(serial, dice.randrange(1, 50), state=dice.choice((ANSWER, PENDING)), size=dice.choice((20, 200, 600)))
            old = model.get(key)
            if old is None or writing._replaces(row, old):
                model[key] = row
            writer.put(row)
        if turn % 4000 == 3999:
            writer.close()
            writer = Writer(folder, segment_bytes=1 << 16)
            assert writer.found
            stores.append(Store(folder))
    for store in stores:
        for serial in range(1, 6000):
            assert seen(store, serial) == model.get(layout.key(1, serial))
    assert writer.count == len(model)
    live = sum(len(layout.encode(row)) for row in model.values())
    held = sum(path.stat().st_size for path in folder.glob("segment-*"))
    assert held < 6 * live + (1 << 20)  # what was replaced goes, by and by
    assert len(list(folder.glob("index-*"))) == 1
    writer.close()


def test_one_process_writes(writer, tmp_path):
    with pytest.raises(StoreLocked):
        Writer(tmp_path)


def test_a_reader_that_remembers_a_slot_sees_that_a_new_table_took_over(writer, tmp_path):
    writer.put(record(5))
    writer.finish_load()
    store = Store(tmp_path)
    index, at, word, found = store.find(layout.key(1, 5))
    assert index.slots[at] == word
    writer.grow(10 * writing.MINIMUM_SLOTS)
    writer.put(record(5, 2, text=b"new"))
    assert index.slots[at] != word
    assert seen(store, 5).sha1 == b"new1"
    assert found.version == 1


def test_damaged_bytes_are_not_served(writer, tmp_path):
    writer.put(record(5))
    writer.finish_load()
    (segment,) = tmp_path.glob("segment-*")
    data = bytearray(segment.read_bytes())
    data[layout.HEAD_BYTES + 20] ^= 1
    segment.write_bytes(data)
    _, at, _, found = Store(tmp_path).find(layout.key(1, 5))
    assert (at >= 0, found) == (True, None)
    writer.put(record(5, 2))
    assert seen(Store(tmp_path), 5).version == 2


def test_a_store_of_another_boot_is_not_served_and_is_written_anew(writer, tmp_path, monkeypatch):
    writer.put(record(5))
    writer.finish_load()
    writer.close()
    monkeypatch.setattr(layout, "boot_id", lambda: b"0" * 36)
    with pytest.raises(StoreMissing):
        Store(tmp_path).index()
    with Writer(tmp_path) as again:
        assert not again.found
        assert again.count == 0


KILLED = """
import sys, time, random
from pathlib import Path
from pki.ocspd import layout
from pki.ocspd.layout import StoreRecord
from pki.ocspd.writing import Writer
folder, now = Path(sys.argv[1]), int(time.time())
writer = Writer(folder, segment_bytes=1 << 16)
writer.finish_load()
print("ready", flush=True)
version = int(sys.argv[2])
while True:
    version += 1
    for serial in range(1, 200):
        der = version.to_bytes(8) * 20
        writer.put(StoreRecord(layout.key(1, serial), version, layout.ANSWER, now, now + 9999, now + 9999, der, der))
"""


@pytest.mark.soak
def test_a_writer_killed_anywhere_leaves_a_whole_store(tmp_path, tally):
    store, last = Store(tmp_path), {}
    for turn in range(40 if os.environ.get("SITHS_LONG") else 6):
        base = max(last.values(), default=0)
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), str(base)], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        deadline = time.monotonic() + 0.3 + turn % 7 / 50
        while time.monotonic() < deadline:
            look(store, last)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        look(store, last)
    assert len(last) == 199
    with Writer(tmp_path) as writer:
        assert writer.found
        assert writer.count == 199
    tally.run(range(1, 200), last, "answers in the store")


def look(store, last):
    """Each record is whole, and never older than what was seen before."""
    for serial in range(1, 200):
        try:
            found = seen(store, serial)
        except StoreMissing:
            return
        if found is not None:
            assert found.sha1 == found.sha256 == found.version.to_bytes(8) * 20
            assert found.version >= last.get(serial, 0)
            last[serial] = found.version


def test_refresh_requests_are_limited_and_not_repeated(tmp_path, monkeypatch):
    (tmp_path / refresh_requests.FOLDER).mkdir()
    requests, moments = refresh_requests.RefreshRequests(tmp_path), itertools.count(1000, 0.4 / 10_000)
    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: next(moments))  # all within two fifths of a second, on any machine
        for serial in range(1, 5000):
            requests.unknown(1, serial)
            requests.response(1, 7)
    taken = list(refresh_requests.take(tmp_path))
    assert len(taken) == len(set(taken)) <= 200
    assert refresh_requests.RefreshRequest(1, 1, unknown=True) in taken
    assert list(refresh_requests.take(tmp_path)) == []


def test_unread_refresh_requests_do_not_accumulate(tmp_path, monkeypatch):
    (tmp_path / refresh_requests.FOLDER).mkdir()
    monkeypatch.setattr(refresh_requests, "_EACH", 0.0)
    requests = refresh_requests.RefreshRequests(tmp_path)
    for serial in range(1, 2000):
        requests.unknown(1, serial)
    assert len(list((tmp_path / refresh_requests.FOLDER).iterdir())) <= 20


def test_invalid_refresh_requests_are_skipped(tmp_path):
    (tmp_path / refresh_requests.FOLDER).mkdir()
    lines = b"\n1 zz 0\n1 5\n-1 5 0\n1 0 0\n99999999999 5 0\n1 " + b"f" * 60 + b" 1\n\xff\xfe\n1 a 1\n"
    (tmp_path / refresh_requests.FOLDER / "1-1-1").write_bytes(lines)
    assert list(refresh_requests.take(tmp_path)) == [refresh_requests.RefreshRequest(1, 10, unknown=True)]


def test_the_responder_loads_neither_django_nor_the_token():
    program = (
        "import sys; import pki.ocspd.app; print([n for n in sys.modules if n.split('.')[0] in ('django', 'pkcs11', 'celery')])"
    )
    with fork_server.anew():
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
