"""Applies the plan of `directory_import_plan` in the caller's transaction, locking people in the order of their ids."""

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from issuance.people.models.person_scope import PersonScope
from siths_portal.lib.registry import Registry

RULE = "system:directory-import"


@dataclass(frozen=True)
class LostPosts:
    """What a package does when people lose assignments by an import.

    `candidates` returns the people whom it could concern, so an import in which many leave costs no more. `follow` runs in the
    importing transaction for each of those who lost an assignment.
    """

    candidates: Callable[[], Collection[UUID]]
    follow: Callable[[UUID], object]


ON_LOST_POSTS = Registry[LostPosts]()
"""The registrations of the packages above."""

_EVENT = "INSERT INTO issuance_event (at, actor_ref, action, subject_type, subject_ref, facts)"

# Every change of people locks them first, several in the order of their ids, which prevents deadlocks.
_LOCK = """
SELECT count(*) FROM (
    SELECT id FROM issuance_person WHERE id IN (
        SELECT person_id FROM import_changed
        UNION SELECT person_id FROM import_named
        UNION SELECT person_id FROM import_lost
        UNION SELECT person_id FROM import_post WHERE NOT is_new AND act IN ('add', 'change', 'move', 'end', 'lapse')
    ) ORDER BY id FOR NO KEY UPDATE
) locked
"""

# An older file does not restore or move an assignment that a live read has ended since the plan was made.
_OVERTAKEN = """
UPDATE import_post i SET act = 'newer' FROM issuance_post p
WHERE i.act IN ('add', 'move') AND NOT i.is_new AND upper(p.hsa_id) = i.hsa_upper AND p.ended_at > %(as_of)s
"""

_PEOPLE = """
INSERT INTO issuance_person (id, given_names, given_name_in_use, surname, sort_name, protected_person_indicator,
                             protected_population_record, is_protected, deceased, synthetic, created_at)
SELECT person_id, given_name, given_name, surname, sort_name, protected, false, protected, false, synthetic, %(now)s
FROM import_new ORDER BY person_id
"""
_IDENTIFIERS = """
INSERT INTO issuance_personidentifier (person_id, kind, value, valid_from)
SELECT person_id, kind, value, %(now)s FROM import_new ORDER BY person_id
"""
# `people_integrity` compares rows with the numbers and assignments in these events.
_TOLD = "jsonb_build_object('person', person_id, 'hsa_id', hsa_id, 'organisation', organisation_id, 'valid_to', valid_to)"
_DIGEST = "encode(sha256(convert_to(concat_ws('|', person_id, kind, value), 'UTF8')), 'hex')"
_REGISTERED = f"""
WITH came AS (
    SELECT person_id, jsonb_object_agg(new_post_id, {_TOLD}) AS posts FROM import_post
    WHERE is_new AND act IN ('add', 'move') GROUP BY person_id
)
{_EVENT}
SELECT %(now)s, %(rule)s, 'person.registered', 'person', person_id::text,
       jsonb_build_object('identifiers', jsonb_build_array({_DIGEST}), 'posts', coalesce(posts, '{{}}'::jsonb))
FROM import_new LEFT JOIN came USING (person_id) ORDER BY person_id
"""  # noqa: S608  (only constants of this module are put into these statements)

_RENAME = f"""
WITH done AS (
    UPDATE issuance_person p
    SET given_names = CASE WHEN c.renamed THEN c.given_name ELSE p.given_names END,
        given_name_in_use = CASE WHEN c.renamed THEN c.given_name ELSE p.given_name_in_use END,
        surname = CASE WHEN c.renamed THEN c.surname ELSE p.surname END,
        sort_name = CASE WHEN c.renamed THEN c.sort_name ELSE p.sort_name END,
        protected_person_indicator = p.protected_person_indicator OR c.shielded,
        is_protected = p.is_protected OR c.shielded
    FROM import_changed c
    WHERE c.person_id = p.id AND (p.register_read_at IS NULL OR NOT c.renamed AND p.register_read_at <= %(as_of)s)
    RETURNING p.id, c.fields
)
{_EVENT}
SELECT %(now)s, %(rule)s, 'person.changed', 'person', id::text, jsonb_build_object('fields', fields) FROM done ORDER BY id
"""  # noqa: S608

# Names that differ are kept beside the register's, for register care; the events of people say when those change.
_AGREE = "DELETE FROM issuance_cataloguename c USING import_named n WHERE c.person_id = n.person_id AND NOT n.differs"
_DIFFER = """
INSERT INTO issuance_cataloguename (person_id, given_name, surname)
SELECT person_id, given_name, surname FROM import_named WHERE differs ORDER BY person_id
ON CONFLICT (person_id) DO UPDATE SET given_name = excluded.given_name, surname = excluded.surname
"""

_END = f"""
WITH done AS (
    UPDATE issuance_post p SET ended_at = %(as_of)s, synced_at = %(as_of)s
    FROM (SELECT post_id FROM import_lost UNION SELECT post_id FROM import_post WHERE act IN ('move', 'end')) e
    WHERE e.post_id = p.id AND p.ended_at IS NULL AND p.synced_at <= %(as_of)s
    RETURNING p.id
)
{_EVENT}
SELECT %(now)s, %(rule)s, 'post.ended', 'post', id::text, '{{}}'::jsonb FROM done ORDER BY id
"""  # noqa: S608

_CHANGE = f"""
WITH done AS (
    UPDATE issuance_post p SET title = i.title, mail = i.mail, upn = i.upn, valid_to = i.valid_to, synced_at = %(as_of)s
    FROM import_post i
    WHERE i.act IN ('change', 'lapse') AND i.post_id = p.id AND p.ended_at IS NULL AND p.synced_at <= %(as_of)s
    RETURNING p.id, i.fields, p.valid_to
)
{_EVENT}
SELECT %(now)s, %(rule)s, 'post.changed', 'post', id::text,
       jsonb_build_object('fields', fields, 'valid_to', valid_to) FROM done ORDER BY id
"""  # noqa: S608

_ADD = """
INSERT INTO issuance_post (id, hsa_id, person_id, organisation_id, title, mail, upn, valid_to, synced_at)
SELECT new_post_id, hsa_id, person_id, organisation_id, title, mail, upn, valid_to, %(as_of)s
FROM import_post WHERE act IN ('add', 'move') ORDER BY new_post_id
"""
# The event of a new person includes the person's assignments, as in other registrations.
_ADDED = f"""{_EVENT}
SELECT %(now)s, %(rule)s, 'post.registered', 'post', new_post_id::text, {_TOLD}
FROM import_post WHERE act IN ('add', 'move') AND NOT is_new ORDER BY new_post_id
"""  # noqa: S608

_TOUCHED = """
CREATE TEMPORARY TABLE import_touched ON COMMIT DROP AS
SELECT person_id FROM import_new
UNION SELECT person_id FROM import_changed WHERE renamed
UNION SELECT person_id FROM import_lost
UNION SELECT person_id FROM import_post WHERE act IN ('add', 'move', 'end')
"""
_LOSERS = """
SELECT person_id FROM (
    SELECT person_id FROM import_lost UNION SELECT person_id FROM import_post WHERE act IN ('move', 'end', 'lapse')
) lost WHERE person_id = ANY(%(candidates)s) ORDER BY person_id
"""


def apply_plan(*, now: dt.datetime, as_of: dt.datetime) -> None:
    """Applies the plan to the mirror, with an event for each change. Rows that are newer than the file are not changed.

    Raises IntegrityError if another transaction has added one of the people or assignments since planning: plan again.
    """
    values: dict[str, Any] = {"now": now, "as_of": as_of, "rule": RULE}
    with connection.cursor() as cursor:
        # The import gives up before PostgreSQL's deadlock detection would abort the other side, which may be a page.
        cursor.execute("SET LOCAL lock_timeout = '700ms'")
        cursor.execute(_LOCK)
        for statement in (_OVERTAKEN, _PEOPLE, _IDENTIFIERS, _REGISTERED, _RENAME, _AGREE, _DIFFER, _END, _CHANGE, _ADD, _ADDED):
            cursor.execute(statement, values)
        cursor.execute(_TOUCHED)
        cursor.execute("ANALYZE import_touched")
    PersonScope.objects.refresh_listed("import_touched")
    for lost in ON_LOST_POSTS:
        for person_id in _losers(lost.candidates()):
            lost.follow(person_id)


def _losers(candidates: Collection[UUID]) -> list[UUID]:
    """Returns the candidates who lose an assignment."""
    with connection.cursor() as cursor:
        cursor.execute(_LOSERS, {"candidates": sorted(candidates)})
        return [person_id for (person_id,) in cursor.fetchall()]
