"""Queues notices to holders, in the transaction of what they are about (rules/issuance 7.13)."""

from collections.abc import Iterable

from issuance.carriers.models import Carrier, Eid
from issuance.notices.models import EidNotice, NoticeAbout
from siths_portal.lib import clock


def queue_new_eids(eids: Iterable[Eid]) -> None:
    """Queues the notice that each of these eIDs is new, in the caller's transaction. An eID has at most one.

    The caller is the transaction after which the certificates can be used, so that nobody gets an eID in a holder's name without
    the holder being told.
    """
    now, about = clock.now(), NoticeAbout.NEW.value
    EidNotice.objects.bulk_create(
        EidNotice(carrier_id=eid.carrier_id, eid=eid, about=about, queued_at=now, next_at=now) for eid in eids
    )


def queue_about_carrier(carrier: Carrier, about: NoticeAbout) -> None:
    """Queues a notice about the carrier itself, in the caller's transaction: that it is new, at most once, or is unlocked."""
    now = clock.now()
    EidNotice.objects.create(carrier=carrier, about=about.value, queued_at=now, next_at=now)
