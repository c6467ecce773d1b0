"""Reminders by e-mail to holders whose card is sent and not activated (rules/issuance 7.11).

They are planned by set for the days of REMINDER_DAYS, or asked for by an officer. A worker sends each at least once, with the
same message id, and looks again before: a card that was activated or revoked, or whose holder is protected, gets none.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from issuance.authz import Actor
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.models import Carrier
from issuance.notices.models import MailState
from issuance.notices.services import mailing
from issuance.people.models.persons import Post
from issuance.records.domain import wording
from issuance.records.models.events import Event
from issuance.register_care.domain import kinds
from issuance.register_care.models import CardReminder
from issuance.register_care.services import deciding
from siths_portal.lib import clock
from siths_portal.lib.database import bulk
from siths_portal.lib.database.days import day_of
from siths_portal.lib.errors import Conflict
from siths_portal.lib.ids import new_id
from siths_portal.lib.mail import Message

SENDER = "system:card-reminders"
BETWEEN = dt.timedelta(days=7)
"""The least time between a reminder and one that an officer asks for."""

_COLUMNS = ("id", "carrier_id", "days", "requested_by_ref", "requested_at", "state", "attempts", "next_at")
# The last day that has come counts, so a card that was not listed before gets one reminder and not all of them.
_DUE = f"""
WITH reached AS (
    SELECT c.id, max(d.days) AS days
    FROM issuance_carrier c
    JOIN issuance_person h ON h.id = c.person_id AND NOT h.is_protected AND NOT h.deceased
    JOIN unnest(%(days)s) AS d(days) ON {day_of("c.sent_at")} + d.days <= %(today)s
    WHERE c.state = 'sent'
      AND EXISTS (SELECT FROM issuance_eid e JOIN issuance_post p ON p.id = e.post_id
                  WHERE e.carrier_id = c.id AND p.ended_at IS NULL AND p.mail <> '')
    GROUP BY c.id
)
SELECT id, days FROM reached
WHERE NOT EXISTS (SELECT FROM issuance_cardreminder r
                  WHERE r.carrier_id = reached.id AND (r.state = 'waiting' OR r.days >= reached.days))
ORDER BY id
"""  # noqa: S608  (constants of our own)


@transaction.atomic(durable=True)
def plan_due() -> int:
    """Plans the reminders of today for every card that has reached a day of REMINDER_DAYS, by two statements. Returns how many.
    A second call plans none. The caller holds the lock of the nightly comparison.
    """
    now, days = clock.now(), sorted(settings.REMINDER_DAYS)
    if not days:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"days": days, "today": clock.today()})
        rows = cursor.fetchall()
    values = ((new_id(), carrier, day, SENDER, now, MailState.WAITING.value, 0, mailing.by_day(now)) for carrier, day in rows)
    return bulk.insert_values(CardReminder, _COLUMNS, values)


@transaction.atomic(durable=True)
def remind(*, actor: Actor, item_ids: Sequence[UUID]) -> int:
    """Asks for a reminder of the card of each row, all or none. Returns how many.

    Raises as `deciding.locked`, and Conflict with what prevents one of them.
    """
    rows = deciding.locked(actor, item_ids)
    carriers = [row.carrier_id for row in rows if row.carrier_id and kinds.kind_of(row.kind).reminds]
    if len(carriers) < len(rows):
        raise Conflict("no-reminder", "Påminnelser skickas bara om kort som väntar på aktivering.")
    refused = [text for text in hindrances(carriers).values() if text]
    if refused:
        more = f" Det gäller {len(refused)} av raderna. Ta bort krysset och skicka igen." if len(rows) > 1 else ""
        raise Conflict("no-reminder", f"{refused[0]}{more}")
    now = clock.now()
    CardReminder.objects.bulk_create(
        CardReminder(carrier_id=pk, requested_by_ref=actor.ref, requested_at=now, next_at=now) for pk in carriers
    )
    Event.record_each(
        ((str(pk), {}) for pk in carriers),
        at=now,
        actor_ref=actor.ref,
        action="carrier.reminder_requested",
        subject_type="carrier",
    )
    return len(carriers)


def hindrances(carrier_ids: Collection[UUID]) -> dict[UUID, str]:
    """Returns for each card why its holder can get no reminder now, "" if they can, in a constant number of queries."""
    cards = Carrier.objects.filter(pk__in=carrier_ids).select_related("person").defer("card_key_spki")
    reachable = addresses(carrier_ids)
    recent = CardReminder.objects.filter(carrier__in=carrier_ids).exclude(state=MailState.NOT_NEEDED)
    reminded = set(recent.filter(requested_at__gt=clock.now() - BETWEEN).values_list("carrier", flat=True))

    def hindrance(card: Carrier) -> str:
        if card.state != CarrierState.SENT or card.person is None:
            return "Kortet väntar inte längre på aktivering."
        if card.person.is_protected:
            return "Till personer med skyddade personuppgifter skickas inga påminnelser."
        if card.pk in reminded:
            return f"Innehavaren har fått en påminnelse de senaste {BETWEEN.days} dagarna."
        return "" if card.pk in reachable else "Innehavaren har ingen e-postadress i HSA-katalogen."

    return {card.pk: hindrance(card) for card in cards}


def addresses(carrier_ids: Collection[UUID]) -> dict[UUID, str]:
    """Returns the address of a current assignment of each card. Leaves out cards without one."""
    posts = Post.objects.filter(eids__carrier__in=carrier_ids, ended_at=None).exclude(mail="")
    return dict(posts.order_by("pk").values_list("eids__carrier", "mail"))


def send_due(*, limit: int = mailing.BATCH) -> int:
    """Sends each reminder that is due and returns how many it tried. Can be repeated, run by several workers and killed."""
    return mailing.send_due(_OUTBOX, limit=limit)


def _compose(reminder: CardReminder) -> Message | MailState:
    recipient = _recipient(reminder.carrier_id)
    return message_about(reminder, recipient) if recipient else MailState.NOT_NEEDED


def _recipient(carrier_id: UUID) -> str:
    """Returns the address of a holder who still needs the reminder of their card, or ""."""
    card = Carrier.objects.select_related("person").defer("card_key_spki").get(pk=carrier_id)
    if card.state != CarrierState.SENT or card.person is None or card.person.is_protected or card.person.deceased:
        return ""
    return addresses([carrier_id]).get(carrier_id, "")


def message_about(reminder: CardReminder, recipient: str) -> Message:
    """Returns the reminder: where the card can be activated and the last day. It names neither person nor card."""
    card = Carrier.objects.select_related("item__order__office").defer("card_key_spki").get(pk=reminder.carrier_id)
    item = getattr(card, "item", None)
    sent = wording.day(card.sent_at)
    last = sent + dt.timedelta(days=settings.NOT_ACTIVATED_DAYS) if sent else clock.today()
    place = f" hos {item.order.office.name}" if item is not None else ""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2]
    text = (
        f"Hej!\n\nDu har ett SITHS-kort som inte är aktiverat än. Boka en tid för att aktivera kortet{place}. "
        f"Ta med kortet och en giltig id-handling.\n\n"
        f"Sista dagen är {last}. Natten efter spärras kortet, och då behöver du beställa ett nytt.\n\n"
        f"Har du inte fått kortet? Kontakta din ID-administratör.\n\n"
        f"Det går inte att svara på det här meddelandet.\n"
    )
    return Message(f"card-reminder-{reminder.pk}@{domain}", recipient, "Ditt SITHS-kort väntar på att aktiveras", text)


def _record(reminder: CardReminder) -> None:
    """Records in the history of the card what became of its reminder."""
    if action := _TOLD.get(MailState(reminder.state)):
        Event.record(
            actor_ref=SENDER,
            action=action,
            subject_type="carrier",
            subject_ref=str(reminder.carrier_id),
            facts={"days": reminder.days, "reminder": str(reminder.pk)},
        )


_TOLD = {MailState.SENT: "carrier.reminded", MailState.REFUSED: "carrier.reminder_refused"}
"""What is recorded of the card when its reminder is settled."""

_OUTBOX = mailing.Outbox(CardReminder, _compose, _record)
