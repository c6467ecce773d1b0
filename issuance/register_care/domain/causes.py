"""What makes a row of work, for each kind: one statement that selects every cause there is now.

A statement gives a row for each cause, with the columns of `COLUMNS`. `subject_id` identifies the cause within its kind. `due` is
the last day; NULL stands for a number of days after the cause was found, which the kind declares. `facts` holds what the list
tells, without personal data. The parameters are those of `services.merging.values`.
"""

from issuance.notices.domain.ending import LAST_DAY, NO_LATER_EID
from siths_portal.lib.database.days import day_of, last_day_of

COLUMNS = ("subject_id", "organisation_id", "person_id", "carrier_id", "order_id", "office_id", "due", "facts")

_LIVING = "('sent', 'reserved', 'activated_unsigned', 'active')"
"""States of cards that a holder has or is about to get."""

_OFFICE = """coalesce(c.office_id, (
    SELECT o.office_id FROM issuance_orderitem i JOIN issuance_cardorder o ON o.id = i.order_id WHERE i.carrier_id = c.id
))"""
"""The office of a card: that of its order, or of the file that it came with."""

_CARD = f"""c.id AS subject_id, c.organisation_id, c.person_id, c.id AS carrier_id, NULL::uuid AS order_id,
       {_OFFICE} AS office_id"""
_NEWS = "e.action = 'person.changed' AND e.at >= %(since)s"
_LAST = last_day_of("c.valid_to")

NOT_ACTIVATED = f"""
SELECT c.id AS subject_id, c.organisation_id, c.person_id, c.id AS carrier_id, o.id AS order_id, o.office_id,
       {day_of("c.sent_at")} + %(not_activated_days)s AS due, '{{}}'::jsonb AS facts
FROM issuance_carrier c
LEFT JOIN issuance_orderitem i ON i.carrier_id = c.id
LEFT JOIN issuance_cardorder o ON o.id = i.order_id
WHERE c.state = 'sent' AND c.person_id IS NOT NULL AND {day_of("c.sent_at")} <= %(today)s - %(listed_days)s
"""  # noqa: S608  (only constants of this module are put into these statements)

NOT_SIGNED = f"""
SELECT {_CARD}, {day_of("c.code_set_at")} + %(not_signed_days)s AS due, '{{}}'::jsonb AS facts
FROM issuance_carrier c WHERE c.state = 'activated_unsigned' AND c.person_id IS NOT NULL
"""  # noqa: S608

# The third part of a scope path is the top organisation: a card follows its holder within the same employer.
ENDED = f"""
WITH employed AS (
    SELECT DISTINCT p.person_id, split_part(o.scope_path, '/', 3) AS top
    FROM issuance_post p JOIN issuance_organisation o ON o.id = p.organisation_id
    WHERE p.ended_at IS NULL AND (p.valid_to IS NULL OR p.valid_to >= %(today)s)
)
SELECT {_CARD}, NULL::date AS due, '{{}}'::jsonb AS facts
FROM issuance_carrier c
JOIN issuance_organisation o ON o.id = c.organisation_id
JOIN issuance_person h ON h.id = c.person_id AND NOT h.deceased
LEFT JOIN employed ON employed.person_id = c.person_id AND employed.top = split_part(o.scope_path, '/', 3)
WHERE c.state IN {_LIVING} AND c.kind <> 'test_card' AND employed.person_id IS NULL
"""  # noqa: S608

DECEASED = f"""
SELECT {_CARD}, NULL::date AS due, '{{}}'::jsonb AS facts
FROM issuance_carrier c JOIN issuance_person h ON h.id = c.person_id AND h.deceased WHERE c.state IN {_LIVING}
"""  # noqa: S608

# A row of before stays while its cause does, though the news is older than the last comparison.
NEWLY_PROTECTED = f"""
WITH concerned AS (
    SELECT e.subject_ref::uuid AS person_id FROM issuance_event e
    WHERE {_NEWS} AND e.facts->'fields' ?| ARRAY['protected_person_indicator', 'protected_population_record']
    UNION SELECT w.person_id FROM issuance_workitem w WHERE w.kind = 'newly_protected' AND w.state <> 'gone'
)
SELECT DISTINCT ON (h.id) h.id AS subject_id, c.organisation_id, h.id AS person_id, c.id AS carrier_id, NULL::uuid AS order_id,
       {_OFFICE} AS office_id, NULL::date AS due, '{{}}'::jsonb AS facts
FROM concerned JOIN issuance_person h ON h.id = concerned.person_id AND h.is_protected
JOIN issuance_carrier c ON c.person_id = h.id AND c.state IN {_LIVING}
ORDER BY h.id, c.created_at DESC, c.id
"""  # noqa: S608

# The supplier reads the name when it accepts the order.
RENAMED = f"""
WITH concerned AS (
    SELECT c.id FROM issuance_event e JOIN issuance_carrier c ON c.person_id = e.subject_ref::uuid
    LEFT JOIN issuance_orderitem i ON i.carrier_id = c.id LEFT JOIN issuance_cardorder o ON o.id = i.order_id
    WHERE {_NEWS} AND e.facts->'fields' ?| ARRAY['given_name_in_use', 'surname']
      AND coalesce(o.accepted_at, c.created_at) < e.at
    UNION SELECT w.carrier_id FROM issuance_workitem w WHERE w.kind = 'renamed' AND w.state <> 'gone'
)
SELECT {_CARD}, NULL::date AS due, '{{}}'::jsonb AS facts
FROM concerned JOIN issuance_carrier c ON c.id = concerned.id
WHERE c.state IN {_LIVING} AND c.kind = 'ordinary_card'
"""  # noqa: S608

# The name of the catalogue is that of its last reading, by file or live. Catalogues write all given names or the one in use.
NAME_DIFFERS = f"""
SELECT DISTINCT ON (h.id) h.id AS subject_id, c.organisation_id, h.id AS person_id, c.id AS carrier_id, NULL::uuid AS order_id,
       {_OFFICE} AS office_id, NULL::date AS due, '{{}}'::jsonb AS facts
FROM issuance_cataloguename n JOIN issuance_person h ON h.id = n.person_id
JOIN issuance_carrier c ON c.person_id = h.id AND c.state IN {_LIVING}
WHERE lower(n.given_name) NOT IN (lower(h.given_name_in_use), lower(h.given_names)) OR lower(n.surname) <> lower(h.surname)
ORDER BY h.id, c.created_at DESC, c.id
"""  # noqa: S608

# `care_organisation` has the names that the catalogue just told; without them the kind is left out this night.
RENAMED_ORGANISATION = """
SELECT o.id AS subject_id, o.id AS organisation_id, NULL::uuid AS person_id, NULL::uuid AS carrier_id, NULL::uuid AS order_id,
       NULL::uuid AS office_id, NULL::date AS due, jsonb_build_object('name', t.name) AS facts
FROM care_organisation t JOIN issuance_organisation o ON o.id = t.organisation_id
WHERE o.closed_at IS NULL
  AND lower(btrim(regexp_replace(o.name, '\\s+', ' ', 'g'))) <> lower(btrim(regexp_replace(t.name, '\\s+', ' ', 'g')))
"""

STALE_STOCK = f"""
SELECT o.id AS subject_id, o.organisation_id, NULL::uuid AS person_id, NULL::uuid AS carrier_id, o.id AS order_id, o.office_id,
       min(CASE WHEN s.state = 'in_stock' THEN {_LAST} END) AS due,
       jsonb_build_object(
           'ending', count(*) FILTER (WHERE s.state = 'in_stock'), 'missing', count(*) FILTER (WHERE s.state = 'missing'),
           'awaited', count(*) FILTER (WHERE s.id IS NULL)) AS facts
FROM issuance_cardorder o
JOIN issuance_orderitem i ON i.order_id = o.id AND i.kind = 'reserve_card'
JOIN issuance_carrier c ON c.id = i.carrier_id
LEFT JOIN issuance_stockcard s ON s.carrier_id = c.id
WHERE o.person_id IS NULL AND (
    s.state = 'in_stock' AND c.state = 'in_stock' AND {_LAST} <= %(today)s + %(stock_days)s
    OR s.state = 'missing' AND c.state IN ('sent', 'in_stock')
    OR s.id IS NULL AND c.state = 'sent' AND {day_of("c.sent_at")} <= %(today)s - %(awaited_days)s)
GROUP BY o.id
"""  # noqa: S608

SILENT_ORDER = f"""
SELECT o.id AS subject_id, o.organisation_id, o.person_id, NULL::uuid AS carrier_id, o.id AS order_id, o.office_id,
       NULL::date AS due, jsonb_build_object('day', {day_of("news.at")}) AS facts
FROM issuance_cardorder o
CROSS JOIN LATERAL (SELECT greatest(o.ordered_at, o.restarted_at, o.accepted_at, o.produced_at) AS at) news
WHERE o.state IN ('queued', 'accepted', 'in_production', 'produced') AND {day_of("news.at")} <= %(today)s - %(silent_days)s
"""  # noqa: S608

# A row for each day of reminders: a new day ends the row of the day before, whatever was decided about it.
CHIEF_UNTOLD = f"""
SELECT md5(c.id::text || '/' || reached.days)::uuid AS subject_id, c.organisation_id, c.person_id, c.id AS carrier_id,
       o.id AS order_id, o.office_id, {day_of("c.sent_at")} + reached.days + 7 AS due,
       jsonb_build_object('days', reached.days) AS facts
FROM issuance_carrier c
JOIN issuance_person h ON h.id = c.person_id AND NOT h.is_protected AND NOT h.deceased
CROSS JOIN LATERAL (
    SELECT max(d.days) AS days FROM unnest(%(reminder_days)s::integer[]) AS d(days)
    WHERE {day_of("c.sent_at")} + d.days <= %(today)s
) reached
LEFT JOIN issuance_orderitem i ON i.carrier_id = c.id
LEFT JOIN issuance_cardorder o ON o.id = i.order_id
WHERE c.state = 'sent' AND reached.days IS NOT NULL
"""  # noqa: S608

# Who is reached and what was sent are joined and not asked in a subquery: without nested loops a subquery that joins tables reads
# them once for each card.
NOT_REMINDED = f"""
SELECT c.id AS subject_id, c.organisation_id, c.person_id, c.id AS carrier_id, o.id AS order_id, o.office_id,
       {day_of("c.sent_at")} + %(not_activated_days)s AS due, '{{}}'::jsonb AS facts
FROM issuance_carrier c
JOIN issuance_person h ON h.id = c.person_id AND NOT h.is_protected
LEFT JOIN issuance_orderitem i ON i.carrier_id = c.id
LEFT JOIN issuance_cardorder o ON o.id = i.order_id
LEFT JOIN (SELECT DISTINCT s.id FROM issuance_carrier s JOIN issuance_eid e ON e.carrier_id = s.id
           JOIN issuance_post p ON p.id = e.post_id AND p.ended_at IS NULL AND p.mail <> ''
           WHERE s.state = 'sent') reached ON reached.id = c.id
LEFT JOIN (SELECT carrier_id, bool_or(state = 'refused') AS refused, bool_or(state = 'sent') AS sent
           FROM issuance_cardreminder GROUP BY carrier_id) told ON told.carrier_id = c.id
WHERE c.state = 'sent' AND {day_of("c.sent_at")} <= %(today)s - %(first_reminder)s
  AND (reached.id IS NULL OR told.refused AND NOT told.sent)
"""  # noqa: S608

_UNTOLD = f"""
SELECT n.id AS subject_id, coalesce(e.organisation_id, c.organisation_id) AS organisation_id, c.person_id, c.id AS carrier_id,
       NULL::uuid AS order_id, {_OFFICE} AS office_id, %s
FROM issuance_eidnotice n
JOIN issuance_carrier c ON c.id = n.carrier_id
LEFT JOIN issuance_eid e ON e.id = n.eid_id
JOIN issuance_person h ON h.id = c.person_id AND NOT h.deceased
WHERE n.state IN ('refused', 'unreached') AND %s
"""  # noqa: S608
_SINCE = f"NULL::date AS due, jsonb_build_object('day', {day_of('n.queued_at')}) AS facts"

EID_NOT_TOLD = _UNTOLD % (
    _SINCE,
    "n.about = 'new' AND coalesce(e.state IN ('ordered', 'active'), c.state IN ('ordered', 'activated_unsigned', 'active'))",
)
UNLOCKING_NOT_TOLD = _UNTOLD % (_SINCE, "n.about = 'unlocked' AND c.state = 'active'")

# A row for each day of reminders, as for chiefs. A later reminder ends it.
EID_NOT_REMINDED = _UNTOLD % (
    f"coalesce({LAST_DAY}, {_LAST}) AS due, '{{}}'::jsonb AS facts",
    f"""n.about = 'ending' AND (e.state = 'active' AND {NO_LATER_EID} OR n.eid_id IS NULL AND c.state = 'active') AND NOT EXISTS (
    SELECT FROM issuance_eidnotice r WHERE r.carrier_id = n.carrier_id AND r.eid_id IS NOT DISTINCT FROM n.eid_id
      AND r.days < n.days AND r.state IN ('sent', 'refused', 'unreached')
)""",  # noqa: S608
)
