"""F08: with a full disk nothing counts as written that was not, what was written before stays, and the next write succeeds.

One test for each kind of file. Those of CRLs (`tests/pki/crl/test_crl_leases.py`), of exports
(`tests/pki/takeover/test_export.py`) and of the database (`tests/issuance/activation/test_full_database.py`) are elsewhere.
"""

import errno
import hashlib
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from billing.delivery.adapters.folder import FolderAccessPoint
from billing.delivery.ports import OutgoingDocument, Status
from pki.ocspd import layout
from pki.ocspd.layout import ANSWER, StoreRecord
from pki.ocspd.writing import Writer
from siths_portal.lib.audit import heads
from siths_portal.lib.audit.heads import Head
from siths_portal.lib.errors import Unavailable
from siths_portal.lib.files import journal
from siths_portal.lib.files.atomic import write_atomically
from tests.faults.full_disk import TOO_LARGE, full_disk
from tests.faults.tally import Tally

NOW = int(time.time())


def is_full(error: pytest.ExceptionInfo[OSError]) -> bool:
    return error.value.errno in (errno.EFBIG, errno.ENOSPC)


def test_the_disk_is_full(tmp_path: Path) -> None:
    """What the others stand on: a write is cut off, and there is room again afterwards."""
    file = tmp_path / "file"
    with file.open("wb", buffering=0) as opened, full_disk():
        assert 0 < opened.write(bytes(TOO_LARGE)) < TOO_LARGE, "what fits"
        with pytest.raises(OSError, match="too large") as refused:
            opened.write(b"more")
    assert is_full(refused)
    assert file.write_bytes(bytes(TOO_LARGE)) == TOO_LARGE


def test_a_file_that_is_replaced_stays_the_old_one(tmp_path: Path, tally: Tally) -> None:
    file = tmp_path / "file"
    write_atomically(file, b"old")
    with full_disk(), pytest.raises(OSError, match="too large") as refused:
        write_atomically(file, bytes(TOO_LARGE))
    assert is_full(refused)
    tally.run([("file", b"old")], [(path.name, path.read_bytes()) for path in tmp_path.iterdir()], "files")
    write_atomically(file, bytes(TOO_LARGE))
    assert file.stat().st_size == TOO_LARGE


def test_the_journal_keeps_what_was_appended(tmp_path: Path, settings: Any, tally: Tally) -> None:
    settings.JOURNAL_DIR = tmp_path
    journal.append("pki", [{"text": "before"}])
    with full_disk(), pytest.raises(OSError, match="too large"):
        journal.append("pki", [{"text": "x" * TOO_LARGE}])
    journal.append("pki", [{"text": "after"}])
    tally.run(["before", "after"], [record["text"] for record in journal.read("pki")], "records of the journal")


class _Keys:
    """A key of the audit chain whose signature nobody checks here."""

    def sign(self, data: bytes) -> tuple[str, bytes]:
        return "key", hashlib.sha256(data).digest()

    def public_key(self, _key_id: str) -> bytes:
        return b"public key"


def test_the_audit_chains_statements_stay(tmp_path: Path, settings: Any, tally: Tally) -> None:
    settings.AUDIT_ANCHOR_DIR = tmp_path
    digest = bytes(32)
    keys: Any = _Keys()
    first = heads.append({"pki": Head(1, digest)}, keys, number=1, previous=heads.FIRST)
    assert first is not None
    many = {f"app{number}": Head(number, digest) for number in range(TOO_LARGE // 100)}
    with full_disk(), pytest.raises(OSError, match="too large"):
        heads.append(many, keys, number=2, previous=first.sha256)
    assert heads.append({"pki": Head(2, digest)}, keys, number=2, previous=first.sha256) is not None
    tally.run([1, 2], [statement.number for statement in heads.statements()], "statements")


def test_the_store_of_the_responder_keeps_its_answers(tmp_path: Path, tally: Tally) -> None:
    """A new segment does not fit. The publisher's next turn writes what is missing."""

    serials = range(1, 600)

    def put(writer: Writer, wanted: range) -> None:
        for serial in wanted:
            answer = serial.to_bytes(20) * 10
            key, end = layout.key(1, serial), NOW + 86_400
            writer.put(StoreRecord(key, 1, ANSWER, NOW, end, NOW + 10**6, answer + b"1", answer + b"256"))

    def found(writer: Writer) -> list[int]:
        return [serial for serial in serials if writer.get(layout.key(1, serial)) is not None]

    with Writer(tmp_path, segment_bytes=TOO_LARGE) as writer:
        put(writer, serials[:100])
        with full_disk(), pytest.raises(OSError, match="too large"):
            put(writer, serials)
        before = found(writer)
        assert len(before) >= 100
        assert before == list(serials[: len(before)]), "those before the error, whole"
        put(writer, serials)
        tally.run(serials, found(writer), "answers in the store")


def _invoice(content: bytes) -> OutgoingDocument:
    sha256 = hashlib.sha256(content).hexdigest()
    return OutgoingDocument(uuid4(), "2023-000001", "380", ("0007", "5599990008"), ("0007", "2329990002"), sha256, content)


def test_an_invoice_for_the_access_points_folder_is_handed_over_later(tmp_path: Path, settings: Any, tally: Tally) -> None:
    settings.ACCESS_POINT_FOLDER = str(tmp_path)
    document, access_point = _invoice(bytes(TOO_LARGE)), FolderAccessPoint()
    with full_disk(), pytest.raises(Unavailable, match="access-point-folder"):
        access_point.submit(document)
    assert list((tmp_path / "out").iterdir()) == []
    assert access_point.submit(document).status is Status.ACCEPTED
    found = [
        UUID(path.stem) for path in (tmp_path / "out").glob("*.json") if path.with_suffix(".xml").stat().st_size == TOO_LARGE
    ]
    tally.run([document.message_id], found, "documents in the folder")
