"""Journals: what is appended is on disk and read again, a torn tail costs only itself, and damage in the middle is an error."""

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from siths_portal.lib.files import journal
from tests.waiting import wait_for


@pytest.fixture
def folder(settings, tmp_path):
    settings.JOURNAL_DIR = tmp_path
    return tmp_path / "pki"


def texts() -> list[str]:
    return [record["text"] for record in journal.read("pki")]


def append(*wanted: str) -> None:
    journal.append("pki", [{"text": text} for text in wanted])


def test_records_come_back_in_their_order_and_are_private(folder):
    append("åäö", "b")
    append("c")
    append()
    (segment,) = journal.segments("pki")
    assert texts() == ["åäö", "b", "c"]
    assert (segment.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_tail_torn_at_any_byte_costs_only_the_last_record(folder):
    append("a", "b")
    (segment,) = journal.segments("pki")
    whole = segment.read_bytes()
    append("c")
    complete = segment.read_bytes()
    for end in range(len(whole), len(complete)):
        segment.write_bytes(complete[:end])
        assert texts() == ["a", "b"], end
    segment.write_bytes(whole + bytes(len(complete) - len(whole)))
    assert texts() == ["a", "b"], "a file system may leave zeros"


@pytest.mark.parametrize("place", [0, 5, 9, 14])
def test_damage_before_complete_records_is_no_torn_tail(folder, place):
    append("a")
    append("b")
    (segment,) = journal.segments("pki")
    damaged = bytearray(segment.read_bytes())
    damaged[place] ^= 1
    segment.write_bytes(damaged)
    with pytest.raises(journal.JournalDamaged):
        texts()


def test_after_a_full_disk_the_next_record_goes_to_a_new_segment(folder, monkeypatch):
    append("a")
    (first,) = journal.segments("pki")
    write = journal._Segment.write

    def full(segment, data):
        with monkeypatch.context() as inner:
            inner.setattr(journal._Segment, "write", write)
            write(segment, data[: len(data) // 2])
        segment.broken = True
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as context:
        context.setattr(journal._Segment, "write", full)
        with pytest.raises(OSError, match="no space"):
            append("lost")
    append("b")
    assert len(journal.segments("pki")) == 2
    assert texts() == ["a", "b"]
    assert journal.segments("pki")[0] == first


def test_a_failed_sync_is_not_forgotten(folder, monkeypatch):
    append("a")

    def fails(_descriptor):
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as context:
        context.setattr(os, "fdatasync", fails)
        with pytest.raises(OSError, match="input/output"):
            append("b")
    append("c")
    assert len(journal.segments("pki")) == 2


def test_threads_that_wait_share_an_fsync(folder, monkeypatch):
    append("first")
    (segment,) = journal.segments("pki")
    one = segment.stat().st_size
    gate, synced, real = threading.Event(), [], os.fdatasync

    def slow(descriptor):
        assert gate.wait(60)
        synced.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(append, f"{number:05}") for number in range(6)]
        wait_for(lambda: segment.stat().st_size == 7 * one, "six records to be written")
        with journal._journals[folder]._writing:
            pass  # the last writer has also noted the length that it reached
        gate.set()
        for each in waiting:
            each.result()
    assert len(synced) <= 2
    assert len(texts()) == 7


def test_a_full_segment_is_followed_by_another(folder, monkeypatch):
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 200)
    for number in range(5):
        append(f"{number:050}")
    assert len(journal.segments("pki")) > 1
    assert len(texts()) == 5


def test_segments_that_ended_before_are_left_out(folder, monkeypatch):
    from siths_portal.lib import clock

    append("old")
    (old,) = journal.segments("pki")
    os.utime(old, (0, 0))
    assert list(journal.read("pki", since=clock.now())) == []
    assert texts() == ["old"]


def test_a_segment_in_use_is_not_removed_and_a_removed_one_not_used(folder):
    from siths_portal.lib import clock

    append("a")
    (used,) = journal.segments("pki")
    os.utime(used, (0, 0))
    assert journal.remove_before("pki", clock.now()) == []
    append("b")
    assert texts() == ["a", "b"]
    os.utime(used, (0, 0))
    journal._journals.clear()  # its process ended
    assert journal.remove_before("pki", clock.now()) == [used]
    append("c")
    journal.segments("pki")[0].unlink()
    append("d")
    assert texts() == ["d"]
