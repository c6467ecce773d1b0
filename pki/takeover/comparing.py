"""The shadow phase: does the old service's CRL say the same as our table (spec F8 point 5)? Changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction

from pki.models import Certificate, CertificateStatus
from pki.takeover import lists, registering
from pki.takeover.findings import Ledger
from pki.takeover.manifest import Manifest
from pki.takeover.running import contents
from siths_portal.lib.errors import Conflict, Invalid

KINDS = {
    "only-old-unknown": "bara på gamla listan; serienumret finns inte här",
    "only-old": "bara på gamla listan; inte spärrat här",
    "different": "annan tid eller orsak",
    "only-here": "spärrat här före gamla listan men står inte på den",
    "list-unreadable": "spärrlistan går inte att läsa eller är inte utfärdarens",
    "reason": "gamla listan har en orsak som inte finns här",
    "on-hold": "tillfälligt spärrat på gamla listan",
}
"""Kinds of differences, in Swedish."""


@dataclass(frozen=True)
class Comparison:
    """What differs, by kind and serial; `later` are revocations here since the old list, which differ by nature."""

    lists: list[dict[str, object]]
    differences: dict[str, int]
    serials: list[tuple[str, str]]
    later: int

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def compare(manifest: Manifest) -> Comparison:
    """The lists of the folder's `crls/` beside the CA's rows: serial, second, reason. Raises Invalid, Conflict."""
    ca = registering.known(manifest)
    if ca is None:
        raise Conflict("ca-unknown", "Utfärdaren är inte importerad.")
    ledger = Ledger()
    with transaction.atomic(durable=True):
        found = lists.read(contents(manifest), ca, ledger)
        if found.since is None:
            raise Invalid("import-lists", "Mappen har ingen spärrlista från utfärdaren att jämföra med.")
        lists.load(found, ledger, revoke_held=manifest.hold == "revoke")
        serials = [
            *((each.kind, each.serial) for each in ledger.found),
            *_named("only-old-unknown", lists.unknown(ca)),
            *_named("only-old", lists.not_revoked(ca)),
            *_named("different", lists.different(ca)),
            *_named("only-here", lists.not_listed(ca, found.since)),
        ]
        later = Certificate.objects.filter(ca=ca, status=CertificateStatus.REVOKED, revoked_at__gt=found.since).count()
        transaction.set_rollback(True)
    kinds = [kind for kind, _serial in serials]
    counts = {kind: kinds.count(kind) for kind in KINDS if kind in kinds}
    return Comparison([each.told for each in found.newest], counts, serials, later)


def _named(kind: str, pieces: Iterator[list[lists.Row]]) -> Iterator[tuple[str, str]]:
    return ((kind, row[0]) for piece in pieces for row in piece)
