"""The anchor of an audit chain: its newest seal, noted in a file outside the database.

A hash chain without a key can be rewritten from any row on by whoever may write the tables, and cut at its end without a
trace. The anchor is what such a writer does not reach: a chain that is shorter than its anchor, or holds another digest at
the anchor's number, was changed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from siths_portal.lib import clock
from siths_portal.lib.files import write_atomically


@dataclass(frozen=True)
class Anchor:
    """The number and the digest of a seal that was the newest one."""

    seq: int
    digest: bytes


def _path(app: str) -> Path:
    return Path(settings.AUDIT_ANCHOR_DIR) / f"{connection.settings_dict['NAME']}.{app}.json"


def read(app: str) -> Anchor | None:
    """The anchor of `app`'s chain in this database; None before the first. Raises ValueError if the file is damaged."""
    try:
        stored = json.loads(_path(app).read_text())
    except FileNotFoundError:
        return None
    if not isinstance(stored, dict) or "seq" not in stored or "digest" not in stored:
        raise ValueError("the anchor is damaged")
    return Anchor(int(stored["seq"]), bytes.fromhex(stored["digest"]))


def note(app: str, seal_model: Any) -> None:
    """Notes the newest seal of `app`'s chain. Call it after the commit, so that the anchor is never ahead of the database."""
    last = seal_model.objects.order_by("-seq").first()
    if last is None:
        return
    content = {"seq": last.seq, "digest": bytes(last.digest).hex(), "at": clock.now().isoformat()}
    write_atomically(_path(app), json.dumps(content).encode(), mode=0o600)


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
