"""Counts by night what the days came to: people with a valid eID, activated cards, the days from order to activation, and
the activated and the revoked cards of each office.
"""

import datetime as dt
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Max

from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.kinds import ORDINARY_CARD
from issuance.day.models import WHOLE_COUNTRY, DailyOutcome
from siths_portal.lib import clock
from siths_portal.lib.database import locks

log = structlog.get_logger(__name__)

KEPT_DAYS = 100
"""So many days are kept, some more than the 13 weeks that Dagen shows. Days that were missed are counted this far back."""

_LOCK = locks.number("issuance.count_outcome")

_COUNT = """
    WITH place AS (
        SELECT o.id AS organisation_id, unnest(string_to_array(rtrim(o.scope_path, '/'), '/')) AS place
        FROM issuance_organisation o
    ), holder AS (
        SELECT place.place, count(DISTINCT held.person_id) AS people
        FROM (
            SELECT DISTINCT e.organisation_id, c.person_id
            FROM issuance_eid e
            JOIN issuance_carrier c ON c.id = e.carrier_id
            JOIN issuance_person p ON p.id = c.person_id AND NOT p.is_protected
            WHERE e.activated_at < %(end)s AND e.valid_to >= %(end)s AND (e.ended_at IS NULL OR e.ended_at >= %(end)s)
        ) held
        JOIN place USING (organisation_id)
        GROUP BY place.place
    ), activated AS (
        SELECT place.place, card.day, count(*) AS cards, array_agg(card.waited) FILTER (WHERE card.waited IS NOT NULL) AS waited
        FROM (
            SELECT c.organisation_id, (c.activated_at AT TIME ZONE %(zone)s)::date AS day,
                GREATEST((c.activated_at AT TIME ZONE %(zone)s)::date - (o.ordered_at AT TIME ZONE %(zone)s)::date, 0) AS waited
            FROM issuance_carrier c
            JOIN issuance_person p ON p.id = c.person_id AND NOT p.is_protected
            LEFT JOIN issuance_orderitem i ON i.carrier_id = c.id
            LEFT JOIN issuance_cardorder o ON o.id = i.order_id
            WHERE c.activated_at >= %(start)s AND c.activated_at < %(end)s AND c.kind = %(kind)s AND c.origin = 'portal'
        ) card
        JOIN place USING (organisation_id)
        GROUP BY place.place, card.day
    ), act AS (
        SELECT c.id, (c.activated_at AT TIME ZONE %(zone)s)::date AS day, 1 AS activated, 0 AS revoked
        FROM issuance_carrier c
        WHERE c.activated_at >= %(start)s AND c.activated_at < %(end)s AND c.kind = %(kind)s
        UNION ALL
        SELECT c.id, (c.ended_at AT TIME ZONE %(zone)s)::date, 0, 1
        FROM issuance_carrier c
        WHERE c.ended_at >= %(start)s AND c.ended_at < %(end)s AND c.kind = %(kind)s AND c.state = %(revoked)s
    ), office AS (
        SELECT place.place, act.day, o.office_id, sum(act.activated) AS activated, sum(act.revoked) AS revoked
        FROM act
        JOIN issuance_carrier c ON c.id = act.id
        JOIN issuance_person p ON p.id = c.person_id AND NOT p.is_protected
        JOIN issuance_orderitem i ON i.carrier_id = c.id
        JOIN issuance_cardorder o ON o.id = i.order_id
        JOIN place ON place.organisation_id = c.organisation_id
        WHERE o.office_id IS NOT NULL
        GROUP BY place.place, act.day, o.office_id
    ), offices AS (
        SELECT office.place, office.day, jsonb_object_agg(
            office.office_id, jsonb_build_array(named.name, office.activated, office.revoked)
        ) AS acts
        FROM office
        JOIN issuance_office named ON named.id = office.office_id
        GROUP BY office.place, office.day
    )
    INSERT INTO issuance_dailyoutcome (place, day, people, activated, waited, offices)
    SELECT known.place, days.day::date, CASE WHEN days.day::date = %(last)s THEN COALESCE(holder.people, 0) END,
        COALESCE(activated.cards, 0), COALESCE(activated.waited, '{}'), COALESCE(offices.acts, '{}')
    FROM (SELECT place FROM place UNION SELECT %(country)s) known
    CROSS JOIN generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS days (day)
    LEFT JOIN holder ON holder.place = known.place
    LEFT JOIN activated ON activated.place = known.place AND activated.day = days.day::date
    LEFT JOIN offices ON offices.place = known.place AND offices.day = days.day::date
    WHERE days.day::date = %(last)s OR activated.cards > 0 OR offices.acts IS NOT NULL
    ON CONFLICT (place, day) DO NOTHING
"""


def count_due() -> int:
    """Counts the days up to yesterday that are not counted, by one statement, and deletes old rows. Returns the new rows.

    Returns 0 if yesterday is counted, or if another process counts it. Rows of counted days never change.
    """
    last = clock.today() - dt.timedelta(days=1)
    with locks.held_if_free(_LOCK) as mine:
        counted = DailyOutcome.objects.filter(place=WHOLE_COUNTRY).aggregate(day=Max("day"))["day"] if mine else last
        if counted is not None and counted >= last:
            return 0
        oldest = last - dt.timedelta(days=KEPT_DAYS - 1)
        made = _count(max(counted + dt.timedelta(days=1), oldest) if counted else oldest, last)
    log.info("outcome.counted", day=last.isoformat(), rows=made)
    return made


def _count(first: dt.date, last: dt.date) -> int:
    values: dict[str, Any] = {
        "first": first,
        "last": last,
        "start": clock.start_of_day(first),
        "end": clock.start_of_day(last + dt.timedelta(days=1)),
        "zone": clock.STOCKHOLM.key,
        "kind": ORDINARY_CARD.code,
        "revoked": CarrierState.REVOKED.value,
        "country": WHOLE_COUNTRY,
    }
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        DailyOutcome.objects.filter(day__lte=last - dt.timedelta(days=KEPT_DAYS)).delete()
        cursor.execute(_COUNT, values)
        return int(cursor.rowcount)
