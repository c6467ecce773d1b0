"""MACs over an audit chain, with a key that never leaves the token, so a writer of the database cannot make them.

Seals get their MACs in blocks, one row for each block. The token derives the block's key from the application and the block's
first number (one HMAC). Each seal's MAC is HMAC-SHA-256 of its number and digest with that key. A block costs one operation in
the token, and the MACs still identify the exact row that was changed.
"""

import hmac
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import IntegrityError, transaction

from siths_portal.lib.audit import traversal
from siths_portal.lib.audit.keys import AuditKeys, KeyUnknown

BLOCK = 1000
LENGTH = 32
_DOMAIN = b"siths-portal audit block 1\x00"


class Disagreement(Exception):
    """The chain was changed, so no MACs may be made over it. `fault` identifies the seal."""

    def __init__(self, fault: traversal.Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


def _block_key(keys: AuditKeys, key_id: str, app: str, first: int) -> bytes:
    return keys.derive(key_id, _DOMAIN + app.encode() + b"\x00" + first.to_bytes(8))


def _mac(block_key: bytes, seq: int, digest: bytes) -> bytes:
    return hmac.digest(block_key, seq.to_bytes(8) + digest, "sha256")


def extend(app: str, event_model: Any, seal_model: Any, mac_model: Any, keys: AuditKeys) -> int:
    """Adds MACs to at most one block of seals without MACs and returns how many. Concurrent runs make each block once.

    First compares the last MAC with its seal, and the new seals with their events. Raises Disagreement, KeysUnavailable.
    """
    last = mac_model.objects.order_by("-first").first()
    if last is not None:
        _require_newest_mac(app, seal_model, last, keys)
    first = last.last + 1 if last else 1
    rows = list(seal_model.objects.filter(seq__gte=first).order_by("seq")[:BLOCK])
    if not rows:
        return 0
    position = traversal.begin(event_model, seal_model, first)
    if isinstance(position, traversal.Fault):
        raise Disagreement(position)
    step = traversal.advance(event_model, seal_model, rows, position)
    if step.fault:
        raise Disagreement(step.fault)
    key_id = keys.mac_key()
    block_key = _block_key(keys, key_id, app, first)
    macs = b"".join(_mac(block_key, each.seq, each.digest) for each in step.sealed)
    try:
        with transaction.atomic(durable=True):
            mac_model.objects.create(first=first, last=step.position.seq, key_id=key_id, macs=macs)
    except IntegrityError:
        return 0  # another run has made the block
    return len(step.sealed)


def _require_newest_mac(app: str, seal_model: Any, block: Any, keys: AuditKeys) -> None:
    """Raises Disagreement unless the newest MAC matches its seal."""
    seal = seal_model.objects.filter(seq=block.last).first()
    if seal is None:
        raise Disagreement(traversal.Fault(block.last, "sigillet saknas"))
    try:
        expected = _mac(_block_key(keys, block.key_id, app, block.first), seal.seq, bytes(seal.digest))
    except KeyUnknown:
        expected = b""
    if not hmac.compare_digest(bytes(block.macs)[-LENGTH:], expected):
        raise Disagreement(traversal.Fault(block.last, "sigillet är inte det som HSM-nyckeln styrkte"))


class Reader:
    """Checks seals in rising order against their MACs, one block in memory at a time. Without keys only that MACs exist."""

    def __init__(self, app: str, mac_model: Any, keys: AuditKeys | None, start: int) -> None:
        self._app, self._keys = app, keys
        self._blocks = self._from(mac_model, start)
        self._block: Any = None
        self._key = b""
        self._wrong = ""
        self.checked = self.present = self.waiting = 0

    @staticmethod
    def _from(mac_model: Any, start: int) -> Iterator[Any]:
        """Yields the block that contains `start` and all later blocks."""
        containing = mac_model.objects.filter(first__lte=start).order_by("-first").first()
        first = containing.first if containing else start
        while part := list(mac_model.objects.filter(first__gte=first).order_by("first")[:20]):
            yield from part
            first = part[-1].first + 1

    def _reach(self, seq: int) -> None:
        """Moves to the block that should contain `seq`. The present block becomes None after the last."""
        while self._block is None or self._block.last < seq:
            self._block = next(self._blocks, None)
            if self._block is None:
                return
            self._open()

    def _open(self) -> None:
        self._wrong = ""
        if self._keys is None:
            return
        try:
            self._key = _block_key(self._keys, self._block.key_id, self._app, self._block.first)
        except KeyUnknown:
            self._wrong = "MAC-nyckeln är okänd"

    def _stored(self, seq: int) -> bytes | None:
        """Returns the MAC of this seal, or None."""
        self._reach(seq)
        if self._block is None or self._block.first > seq:
            return None
        start = (seq - self._block.first) * LENGTH
        found = bytes(self._block.macs)[start : start + LENGTH]
        return found if len(found) == LENGTH else None

    def first_wrong(self, sealed: Iterable[traversal.Sealed]) -> traversal.Fault | None:
        """Returns the fault of the first seal with a missing or wrong MAC. Counts seals after the last block as waiting."""
        for each in sealed:
            stored = self._stored(each.seq)
            if stored is None:
                if self._block is not None:
                    return traversal.Fault(each.seq, "MAC saknas", each.event_id)
                self.waiting += 1
                continue
            self.present += 1
            if self._keys is None:
                continue
            if self._wrong:
                return traversal.Fault(each.seq, self._wrong, each.event_id)
            if not hmac.compare_digest(stored, _mac(self._key, each.seq, each.digest)):
                text = f"sigillet är inte det som HSM-nyckeln styrkte: händelse {each.event_id}, dess sigill eller MAC är ändrat"
                return traversal.Fault(each.seq, text, each.event_id)
            self.checked += 1
        return None

    def judged(self, fault: traversal.Fault) -> traversal.Fault:
        """Returns the fault with a more precise text if the MAC shows whether the event or the seal was changed."""
        for digest, text in (
            (fault.stored, f"händelse {fault.event_id} är ändrad; sigillet är det som HSM-nyckeln styrkte"),
            (fault.computed, f"sigillet för händelse {fault.event_id} är ändrat; händelsen är den som HSM-nyckeln styrkte"),
        ):
            if digest and self.vouches(fault.seq, digest):
                return traversal.Fault(fault.seq, text, fault.event_id, alone=True)
        return fault

    def vouches(self, seq: int, digest: bytes) -> bool:
        """Returns whether the MAC of this seal matches this digest. Seals must be asked for in rising order."""
        stored = self._stored(seq)
        if self._keys is None or stored is None or self._wrong:
            return False
        return hmac.compare_digest(stored, _mac(self._key, seq, digest))
