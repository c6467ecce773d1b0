"""Notices by e-mail to holders (rules/issuance 7.13), and the columns of every row that is mailed to a holder."""

from django.db import models
from django.db.models import Q

from issuance.carriers.models import Carrier, Eid
from siths_portal.lib.ids import new_id


class MailState(models.TextChoices):
    """The state of an e-mail. Every state but the first is final; UNREACHED means that there is no address to use."""

    WAITING = "waiting", "Väntar på att skickas"
    SENT = "sent", "Skickad"
    REFUSED = "refused", "Avvisad av e-postservern"
    NOT_NEEDED = "not-needed", "Behövdes inte längre"
    UNREACHED = "unreached", "Innehavaren får ingen e-post"


class Mailed(models.Model):
    """A row that a worker mails (`services.mailing`). It keeps no address: the worker reads it when it sends.

    `next_at` is the time when a waiting row is due, or the end of its lease. `settled_at` is when it reached its final state.
    """

    state = models.CharField(max_length=10, choices=MailState, default=MailState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


SETTLED = Q(state=MailState.WAITING.value, settled_at=None, next_at__isnull=False) | ~Q(state=MailState.WAITING.value) & Q(
    settled_at__isnull=False, next_at=None
)
"""True of a mailed row that is either due or settled."""


class NoticeAbout(models.TextChoices):
    """The subject of a notice: a new eID, an eID that ends soon, or a card that its holder unlocks without a visit."""

    NEW = "new", "Nytt SITHS eID"
    ENDING = "ending", "SITHS eID som snart slutar gälla"
    UNLOCKED = "unlocked", "Upplåst kort"


class EidNotice(Mailed):
    """An e-mail to a holder about an eID of theirs, by another channel than the one that they log in by.

    `eid` is empty for what is about the carrier itself: an unlocking, or a carrier without eIDs of assignments, such as a mobile
    eID, that is new or ends. `days` is the number of days before the last day for which a reminder is made. UNREACHED and
    REFUSED are causes of rows of work: the office tells the holder.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="notices")
    eid = models.ForeignKey(Eid, null=True, on_delete=models.PROTECT, related_name="notices")
    about = models.CharField(max_length=10, choices=NoticeAbout)
    days = models.PositiveSmallIntegerField(null=True)
    queued_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["carrier", "eid", "about", "days"],
                condition=~Q(about=NoticeAbout.UNLOCKED.value),
                nulls_distinct=False,
                name="issuance_eid_notice_once",
            ),
            models.CheckConstraint(
                condition=Q(about=NoticeAbout.ENDING.value, days__isnull=False)
                | ~Q(about=NoticeAbout.ENDING.value) & Q(days=None),
                name="issuance_eid_notice_days",
            ),
            models.CheckConstraint(condition=SETTLED, name="issuance_eid_notice_settled"),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="issuance_eid_notice_due"),
            models.Index(
                fields=["carrier"],
                condition=Q(state__in=[MailState.REFUSED.value, MailState.UNREACHED.value]),
                name="issuance_eid_notice_untold",
            ),
        ]
