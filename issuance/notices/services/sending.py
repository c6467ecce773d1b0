"""Sends the notices and reminders to holders about their eIDs (rules/issuance 7.13). A worker looks again before it sends."""

from django.conf import settings

from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Eid
from issuance.notices.domain import texts
from issuance.notices.models import EidNotice, MailState, NoticeAbout
from issuance.notices.services import mailing
from issuance.people.models.persons import Post
from issuance.records.domain import wording
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.mail import Message

SENDER = "system:eid-notices"


def send_due(*, limit: int = mailing.BATCH) -> int:
    """Sends each notice and reminder that is due and returns how many it tried. Can be repeated, run by several workers and
    killed.
    """
    return mailing.send_due(_OUTBOX, limit=limit)


def _compose(row: EidNotice) -> Message | MailState:
    rows = EidNotice.objects.select_related("carrier__person", "eid").defer("carrier__card_key_spki")
    notice = rows.get(pk=row.pk)
    if notice.carrier.holder.deceased or (notice.about == NoticeAbout.ENDING and not _ends(notice)):
        return MailState.NOT_NEEDED
    recipient = _recipient(notice)
    if not recipient:
        return MailState.UNREACHED
    subject, text = _words(notice)
    return Message(f"eid-notice-{notice.pk}@{settings.DEFAULT_FROM_EMAIL.rpartition('@')[2]}", recipient, subject, text)


def _ends(notice: EidNotice) -> bool:
    """Returns whether what ends is in use, and for an eID whether none of the same assignment ends later."""
    carrier, eid = notice.carrier, notice.eid
    if eid is None:
        return carrier.state == CarrierState.ACTIVE and carrier.valid_to > clock.now()
    if eid.state != EidState.ACTIVE or eid.valid_to is None or eid.valid_to <= clock.now():
        return False
    return not Eid.objects.filter(post=eid.post_id, state=EidState.ACTIVE.value, valid_to__gt=eid.valid_to).exists()


def _recipient(notice: EidNotice) -> str:
    """Returns the address of the eID's assignment, else of one at the carrier's organisation, else of another current one of the
    holder; "" without one, and for a protected holder.
    """
    carrier = notice.carrier
    if carrier.holder.is_protected:
        return ""
    posts = list(Post.objects.filter(person=carrier.person_id, ended_at=None).exclude(mail="").order_by("pk"))
    own = notice.eid.post_id if notice.eid else None
    posts.sort(key=lambda post: (post.pk != own, post.organisation_id != carrier.organisation_id))
    return posts[0].mail if posts else ""


def _words(notice: EidNotice) -> tuple[str, str]:
    """Returns the subject and the text of a notice."""
    url, at = settings.MINASIDOR_BASE_URL, f"{notice.queued_at.astimezone(clock.STOCKHOLM):%Y-%m-%d kl. %H:%M}"
    if notice.about == NoticeAbout.UNLOCKED:
        return texts.unlocked(at, url)
    name = "SITHS eID" if notice.eid else str(kinds.kind_of(notice.carrier.kind).type)
    if notice.about == NoticeAbout.ENDING:
        last = str(wording.last_day((notice.eid or notice.carrier).valid_to))
        return texts.ending(last, url) if notice.eid else texts.ending_carrier(name, last, url)
    return texts.new(name, at, url)


def _record(notice: EidNotice) -> None:
    """Records in the history of the eID, or of the carrier, what became of the notice."""
    if told := _TOLD.get(MailState(notice.state)):
        subject, ref = ("eid", notice.eid_id) if notice.eid_id else ("carrier", notice.carrier_id)
        Event.record(
            actor_ref=SENDER,
            action=f"{subject}.{_NAMES[subject, NoticeAbout(notice.about)]}_{told}",
            subject_type=subject,
            subject_ref=str(ref),
            facts={"days": notice.days, "notice": str(notice.pk)},
        )


_NAMES = {
    ("eid", NoticeAbout.NEW): "notice",
    ("eid", NoticeAbout.ENDING): "reminder",
    ("carrier", NoticeAbout.NEW): "notice",
    ("carrier", NoticeAbout.ENDING): "end_reminder",  # register care reminds of a sent carrier
    ("carrier", NoticeAbout.UNLOCKED): "unlock_notice",
}
"""What a notice is called in events of an eID and of a carrier."""

_TOLD = {MailState.SENT: "sent", MailState.REFUSED: "refused", MailState.UNREACHED: "unreached"}
"""The ends of a notice that are recorded."""

_OUTBOX = mailing.Outbox(EidNotice, _compose, _record)
