"""The shadow phase: compares the old service's CRLs with our table and stores the result (rules/pki 9.4)."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction

from pki.models import CaComparison, CaImport, Certificate, CertificateAuthority, CertificateStatus, Event
from pki.takeover import old_crls as lists
from pki.takeover import registering
from pki.takeover.findings import DIFFERENCES, Ledger
from pki.takeover.lifecycle import contents
from pki.takeover.manifest import Manifest
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

KEPT = 1000
"""The limit of differing serials that a comparison stores; the counts cover all of them."""


@dataclass(frozen=True)
class Comparison:
    """The differences by kind and serial. `later` counts revocations here after the old CRL, which are expected to differ."""

    lists: list[dict[str, object]]
    differences: dict[str, int]
    serials: list[tuple[str, str]]
    later: int

    @property
    def same(self) -> bool:
        """Returns whether there is no difference."""
        return not self.differences


def compare(manifest: Manifest, *, actor_ref: str) -> Comparison:
    """Compares the CRLs in the folder's `crls/` with the CA's rows by serial, time in seconds and reason.

    Stores the result with an event. Raises Invalid or Conflict; then it stores nothing.
    """
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
            *((each.kind, each.serial) for each in ledger.found if each.kind in DIFFERENCES),
            *_named("only-old-unknown", lists.unknown(ca)),
            *_named("only-old", lists.not_revoked(ca)),
            *_named("different", lists.different(ca)),
            *_named("only-here", lists.not_listed(ca, found.since)),
        ]
        later = Certificate.objects.filter(ca=ca, status=CertificateStatus.REVOKED, revoked_at__gt=found.since).count()
        transaction.set_rollback(True)
    kinds = [kind for kind, _serial in serials]
    counts = {kind: kinds.count(kind) for kind in DIFFERENCES if kind in kinds}
    outcome = Comparison([each.summary for each in found.newest], counts, serials, later)
    _keep(outcome, ca, actor_ref)
    return outcome


@transaction.atomic(durable=True)
def _keep(found: Comparison, ca: CertificateAuthority, actor_ref: str) -> None:
    row = CaComparison.objects.create(
        ca=ca,
        at=clock.now(),
        actor_ref=actor_ref,
        lists=found.lists,
        differences=found.differences,
        serials=found.serials[:KEPT],
        later=found.later,
    )
    # Recorded on the CA's newest import, whose page operators read.
    newest = CaImport.objects.filter(ca=ca).order_by("-id").values_list("id", flat=True).first()
    Event.record(
        actor_ref=actor_ref,
        action="import.compared",
        subject_type="certificate_authority",
        subject_ref=str(ca.id),
        facts={
            "comparison": str(row.id),
            "import": str(newest) if newest else None,
            "lists": [each["sha256"] for each in found.lists],
            "differences": found.differences,
            "later": found.later,
        },
    )


def _named(kind: str, pieces: Iterator[list[lists.CrlEntry]]) -> Iterator[tuple[str, str]]:
    return ((kind, row[0]) for piece in pieces for row in piece)
