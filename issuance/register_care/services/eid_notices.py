"""E-mail to holders about their eIDs (rules/issuance 7.13): a notice of each new eID, and reminders before an eID ends.

A notice is queued in the transaction that gives the eID its certificates, so that nobody gets an eID in a holder's name without
the holder being told. Reminders are planned by set for the days of EID_REMINDER_DAYS. A worker looks again before it sends.
"""

import datetime as dt
from collections.abc import Sequence

from django.conf import settings
from django.db import connection, transaction

from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Eid
from issuance.people.models.persons import Post
from issuance.records.domain import wording
from issuance.records.models.events import Event
from issuance.register_care.domain import causes
from issuance.register_care.models import EidNotice, ReminderState
from issuance.register_care.services import mailing
from siths_portal.lib import clock
from siths_portal.lib.database import bulk
from siths_portal.lib.ids import new_id
from siths_portal.lib.mail import Message

SENDER = "system:eid-notices"
_COLUMNS = ("id", "eid_id", "days", "queued_at", "state", "attempts", "next_at")
# The last day that has come counts, so missed nights cost one reminder at most. Days before the eID was activated do not.
_DUE = f"""
WITH reached AS (
    SELECT e.id, min(d.days) AS days
    FROM issuance_eid e
    JOIN issuance_carrier c ON c.id = e.carrier_id AND c.kind <> 'reserve_card'
    JOIN issuance_person h ON h.id = c.person_id AND NOT h.deceased
    JOIN unnest(%(days)s::integer[]) AS d(days)
      ON {causes.LAST_OF_EID} - d.days <= %(today)s AND {causes.ACTIVATED} < {causes.LAST_OF_EID} - d.days
    WHERE e.state = 'active' AND e.valid_to > %(now)s AND e.valid_to <= %(until)s AND {causes.NO_LATER_EID}
    GROUP BY e.id
)
SELECT id, days FROM reached
WHERE NOT EXISTS (SELECT FROM issuance_eidnotice r WHERE r.eid_id = reached.id AND r.days <= reached.days)
ORDER BY id
"""  # noqa: S608  (constants of our own)


def queue(eids: Sequence[Eid]) -> None:
    """Queues the notice that each of these eIDs is new, in the caller's transaction. Each eID has one such notice."""
    now = clock.now()
    EidNotice.objects.bulk_create([EidNotice(eid=eid, queued_at=now, next_at=now) for eid in eids])


@transaction.atomic(durable=True)
def plan_due() -> int:
    """Plans the reminders of today for every eID that has reached a day of EID_REMINDER_DAYS, by two statements.

    Returns how many; a second call plans none. The caller holds the lock of the nightly comparison.
    """
    now, days = clock.now(), sorted(settings.EID_REMINDER_DAYS)
    if not days:
        return 0
    until = clock.start_of_day(clock.today() + dt.timedelta(days=days[-1] + 1))
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"days": days, "today": clock.today(), "now": now, "until": until})
        rows = cursor.fetchall()
    values = ((new_id(), eid, day, now, ReminderState.WAITING.value, 0, mailing.by_day(now)) for eid, day in rows)
    return bulk.insert_values(EidNotice, _COLUMNS, values)


def send_due(*, limit: int = mailing.BATCH) -> int:
    """Sends each notice and reminder that is due and returns how many it tried. Can be repeated, run by several workers and
    killed.
    """
    return mailing.send_due(_OUTBOX, limit=limit)


def _compose(notice: EidNotice) -> Message | ReminderState:
    rows = Eid.objects.select_related("carrier__person", "post").defer("carrier__card_key_spki")
    eid = rows.get(pk=notice.eid_id)
    if eid.carrier.holder.deceased or (notice.days is not None and not _ends(eid)):
        return ReminderState.NOT_NEEDED
    recipient = _recipient(eid)
    if not recipient:
        return ReminderState.UNREACHED
    return _new(notice, recipient) if notice.days is None else _ending(notice, eid, recipient)


def _ends(eid: Eid) -> bool:
    """Returns whether the eID is in use and none of the same assignment ends later."""
    if eid.state != EidState.ACTIVE or eid.valid_to is None or eid.valid_to <= clock.now():
        return False
    return not Eid.objects.filter(post=eid.post_id, state=EidState.ACTIVE.value, valid_to__gt=eid.valid_to).exists()


def _recipient(eid: Eid) -> str:
    """Returns the address of the eID's assignment, else of another current one of the holder; "" without one, and for a protected
    holder.
    """
    if eid.carrier.holder.is_protected:
        return ""
    posts = Post.objects.filter(person=eid.carrier.person_id, ended_at=None).exclude(mail="").order_by("pk")
    found = dict(posts.values_list("pk", "mail"))
    return found.get(eid.post_id) or next(iter(found.values()), "")


def _new(notice: EidNotice, recipient: str) -> Message:
    """Returns the notice that an eID is new. It names neither person, card nor organisation."""
    at = notice.queued_at.astimezone(clock.STOCKHOLM)
    text = (
        f"Hej!\n\nEtt nytt SITHS eID skapades i ditt namn {at:%Y-%m-%d} kl. {at:%H:%M}.\n\n"
        f"Har du aktiverat ett kort eller hämtat ett SITHS eID? Då behöver du inte göra något.\n\n"
        f"Känner du inte till det? Spärra det genast på Mina sidor, {settings.MINASIDOR_BASE_URL}, "
        f"eller kontakta din ID-administratör.\n\n"
        f"Det går inte att svara på det här meddelandet.\n"
    )
    return Message(_message_id(notice), recipient, "Du har fått ett nytt SITHS eID", text)


def _ending(notice: EidNotice, eid: Eid, recipient: str) -> Message:
    """Returns the reminder that an eID ends: the last day and what to do. It names neither person, card nor organisation."""
    text = (
        f"Hej!\n\nEtt av dina SITHS eID gäller till och med {wording.last_day(eid.valid_to)}. "
        f"Be din ID-administratör om ett nytt i god tid.\n\n"
        f"Är det redan beställt? Hämta det på Mina sidor, {settings.MINASIDOR_BASE_URL}, eller aktivera ditt nya kort.\n\n"
        f"Det går inte att svara på det här meddelandet.\n"
    )
    return Message(_message_id(notice), recipient, "Ditt SITHS eID slutar snart gälla", text)


def _message_id(notice: EidNotice) -> str:
    return f"eid-notice-{notice.pk}@{settings.DEFAULT_FROM_EMAIL.rpartition('@')[2]}"


def _record(notice: EidNotice) -> None:
    """Records in the history of the eID what became of its notice."""
    about = "notice" if notice.days is None else "reminder"
    if told := _TOLD.get(ReminderState(notice.state)):
        Event.record(
            actor_ref=SENDER,
            action=f"eid.{about}_{told}",
            subject_type="eid",
            subject_ref=str(notice.eid_id),
            facts={"days": notice.days, "notice": str(notice.pk)},
        )


_TOLD = {ReminderState.SENT: "sent", ReminderState.REFUSED: "refused", ReminderState.UNREACHED: "unreached"}
"""The ends of a notice that are recorded."""

_OUTBOX = mailing.Outbox(EidNotice, _compose, _record)
