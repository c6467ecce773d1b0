"""Plans the reminders before an eID or a mobile eID ends (rules/issuance 7.13), by set, for the days of EID_REMINDER_DAYS."""

import datetime as dt

from django.conf import settings
from django.db import connection, transaction

from issuance.notices.domain.ending import CARRIER_LAST_DAY, LAST_DAY, NO_LATER_EID
from issuance.notices.models import EidNotice, MailState, NoticeAbout
from issuance.notices.services import mailing
from siths_portal.lib import clock
from siths_portal.lib.database import bulk
from siths_portal.lib.database.days import day_of
from siths_portal.lib.ids import new_id

_COLUMNS = ("id", "eid_id", "carrier_id", "about", "days", "queued_at", "state", "attempts", "next_at")
# The last day that has come counts, so missed nights cost one reminder at most. Days before the eID was activated do not.
_DUE = f"""
WITH reached AS (
    SELECT e.id AS eid_id, e.carrier_id, min(d.days) AS days
    FROM issuance_eid e
    JOIN issuance_carrier c ON c.id = e.carrier_id AND c.kind <> 'reserve_card'
    JOIN issuance_person h ON h.id = c.person_id AND NOT h.deceased
    JOIN unnest(%(days)s::integer[]) AS d(days)
      ON {LAST_DAY} - d.days <= %(today)s AND {day_of("e.activated_at")} < {LAST_DAY} - d.days
    WHERE e.state = 'active' AND e.valid_to > %(now)s AND e.valid_to <= %(until)s AND {NO_LATER_EID}
    GROUP BY e.id
    UNION ALL
    SELECT NULL, c.id, min(d.days)
    FROM issuance_carrier c
    JOIN issuance_person h ON h.id = c.person_id AND NOT h.deceased
    JOIN unnest(%(days)s::integer[]) AS d(days)
      ON {CARRIER_LAST_DAY} - d.days <= %(today)s AND {day_of("c.activated_at")} < {CARRIER_LAST_DAY} - d.days
    WHERE c.kind = 'mobile_eid' AND c.state = 'active' AND c.valid_to > %(now)s AND c.valid_to <= %(until)s
    GROUP BY c.id
)
SELECT eid_id, carrier_id, days FROM reached
WHERE NOT EXISTS (
    SELECT FROM issuance_eidnotice r
    WHERE r.carrier_id = reached.carrier_id AND r.eid_id IS NOT DISTINCT FROM reached.eid_id AND r.days <= reached.days
)
ORDER BY carrier_id, eid_id
"""  # noqa: S608  (constants of our own)


@transaction.atomic(durable=True)
def plan_due() -> int:
    """Plans the reminders of today for every eID and mobile eID that has reached a day of EID_REMINDER_DAYS, by two statements.

    Returns how many; a second call plans none. The caller holds the lock of the nightly comparison.
    """
    now, days = clock.now(), sorted(settings.EID_REMINDER_DAYS)
    if not days:
        return 0
    until = clock.start_of_day(clock.today() + dt.timedelta(days=days[-1] + 1))
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"days": days, "today": clock.today(), "now": now, "until": until})
        rows = cursor.fetchall()
    about, state, at = NoticeAbout.ENDING.value, MailState.WAITING.value, mailing.by_day(now)
    return bulk.insert_values(EidNotice, _COLUMNS, ((new_id(), *row[:2], about, row[2], now, state, 0, at) for row in rows))
