"""The anchors of an audit chain: files outside the database that record its newest seal and its newest MAC.

Anyone who can write the tables can rewrite a hash chain without a key from any row on, or cut its end without a trace, but
cannot change the anchor. A chain that is shorter than its anchor, or has another digest at the anchor's number, was changed.
The anchor of the MACs prevents new MACs from being made over a rewritten chain after the old MACs were deleted.
"""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from siths_portal.lib import clock
from siths_portal.lib.audit.macs import LENGTH
from siths_portal.lib.files.atomic import write_atomically

MACS = ".macs"


@dataclass(frozen=True)
class Anchor:
    """The number and digest of the newest seal, or the number and bytes of the newest MAC; `at` is when it was recorded."""

    seq: int
    digest: bytes
    at: dt.datetime | None = None


def folder() -> Path:
    """Returns the folder of the files about the chains."""
    return Path(settings.AUDIT_ANCHOR_DIR)


def file(name: str) -> Path:
    """Returns the path of a file about this database's chains."""
    return folder() / f"{connection.settings_dict['NAME']}.{name}"


def read(name: str) -> Anchor | None:
    """Returns the anchor of a chain (`pki`) or of its MACs (`pki.macs`), or None if there is no file.

    Raises ValueError if the file is damaged.
    """
    try:
        stored = json.loads(file(f"{name}.json").read_text())
    except FileNotFoundError:
        return None
    if not isinstance(stored, dict) or "seq" not in stored or "digest" not in stored:
        raise ValueError("the anchor is damaged")
    at = dt.datetime.fromisoformat(stored["at"]) if "at" in stored else None
    return Anchor(int(stored["seq"]), bytes.fromhex(stored["digest"]), at)


def _note(name: str, seq: int, digest: bytes) -> None:
    # The worker seals and the PKI worker adds MACs. They may run as different users of one group, so the group may write.
    content = {"seq": seq, "digest": digest.hex(), "at": clock.now().isoformat()}
    write_atomically(file(f"{name}.json"), json.dumps(content).encode(), mode=0o660)


def note(app: str, seal_model: Any) -> None:
    """Records the newest seal of `app`'s chain. Call it after the commit, so that the anchor is never ahead of the database."""
    last = seal_model.objects.order_by("-seq").first()
    if last is not None:
        _note(app, last.seq, bytes(last.digest))


def note_macs(app: str, mac_model: Any) -> None:
    """Records the newest MAC of `app`'s chain. Call it after the commit."""
    last = mac_model.objects.order_by("-first").first()
    if last is not None:
        _note(app + MACS, last.last, bytes(last.macs)[-LENGTH:])


def disagreement(anchor: Anchor | None, seal_model: Any) -> tuple[int, str] | None:
    """Returns the seal's number and a Swedish text if the chain differs from `anchor`, else None.

    Read the anchor before the chain, since the chain may grow in the meantime.
    """
    if anchor is None:
        return None
    at_anchor = seal_model.objects.filter(seq=anchor.seq).first()
    if at_anchor is not None:
        if bytes(at_anchor.digest) == anchor.digest:
            return None
        return anchor.seq, "sigillet är inte det som ankrades utanför databasen"
    last = seal_model.objects.order_by("-seq").first()
    return (last.seq + 1 if last else 1), f"sigill saknas fram till nummer {anchor.seq}, som ankrades utanför databasen"


def macs_disagreement(anchor: Anchor | None, mac_model: Any) -> tuple[int, str] | None:
    """Does the same as `disagreement` for the MACs."""
    if anchor is None:
        return None
    block = mac_model.objects.filter(first__lte=anchor.seq).order_by("-first").first()
    if block is None or block.last < anchor.seq:
        first = block.last + 1 if block else 1
        return first, f"MAC saknas fram till nummer {anchor.seq}, som ankrades utanför databasen"
    start = (anchor.seq - block.first) * LENGTH
    if bytes(block.macs)[start : start + LENGTH] != anchor.digest:
        return anchor.seq, "MAC är inte den som ankrades utanför databasen"
    return None
