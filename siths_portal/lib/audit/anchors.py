"""The anchors of an audit chain: its newest seal and its newest MAC, each noted in a file outside the database.

A hash chain without a key can be rewritten from any row on by whoever may write the tables, and cut at its end without a
trace. The anchor is what such a writer does not reach: a chain that is shorter than its anchor, or holds another digest at
the anchor's number, was changed. The anchor of the MACs keeps removed MACs from being made again over a rewritten chain.
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
    """The number of what was newest, and its digest or MAC; `at` is when it was noted."""

    seq: int
    digest: bytes
    at: dt.datetime | None = None


def folder() -> Path:
    """Where everything about the chains lies that is kept outside the database."""
    return Path(settings.AUDIT_ANCHOR_DIR)


def file(name: str) -> Path:
    """A file of this database's chains."""
    return folder() / f"{connection.settings_dict['NAME']}.{name}"


def read(name: str) -> Anchor | None:
    """The anchor of a chain (`pki`) or of its MACs (`pki.macs`); None before the first. Raises ValueError if it is damaged."""
    try:
        stored = json.loads(file(f"{name}.json").read_text())
    except FileNotFoundError:
        return None
    if not isinstance(stored, dict) or "seq" not in stored or "digest" not in stored:
        raise ValueError("the anchor is damaged")
    at = dt.datetime.fromisoformat(stored["at"]) if "at" in stored else None
    return Anchor(int(stored["seq"]), bytes.fromhex(stored["digest"]), at)


def _note(name: str, seq: int, digest: bytes) -> None:
    # The worker seals and the process with the token adds MACs: both may have users of their own, with a folder of their group.
    content = {"seq": seq, "digest": digest.hex(), "at": clock.now().isoformat()}
    write_atomically(file(f"{name}.json"), json.dumps(content).encode(), mode=0o660)


def note(app: str, seal_model: Any) -> None:
    """Notes the newest seal of `app`'s chain. Call it after the commit, so that the anchor is never ahead of the database."""
    last = seal_model.objects.order_by("-seq").first()
    if last is not None:
        _note(app, last.seq, bytes(last.digest))


def note_macs(app: str, mac_model: Any) -> None:
    """Notes the newest MAC of `app`'s chain, after the commit."""
    last = mac_model.objects.order_by("-first").first()
    if last is not None:
        _note(app + MACS, last.last, bytes(last.macs)[-LENGTH:])


def disagreement(anchor: Anchor | None, seal_model: Any) -> tuple[int, str] | None:
    """Where and how the chain differs from `anchor`, read before the chain was: a seal's number and a text; None if not."""
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
    """The same for the MACs."""
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
