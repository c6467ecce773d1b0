"""Reads many people in the person register, and merges the answers by set: one statement a batch, whatever its size."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import PersonIdentifier
from issuance.people.ports import PersonKey, PersonRegister, RegisterPerson
from issuance.people.services.people import PREFERENCE, sort_name
from siths_portal.lib import clock, ports
from siths_portal.lib.database import bulk

_RULE = "system:register-reading"
_RENAMING = ("given_name_in_use", "surname")
_STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS register_row (
    person_id uuid NOT NULL, given_names text NOT NULL, given_name_in_use text NOT NULL, surname text NOT NULL,
    sort_name text NOT NULL, protected_person_indicator boolean NOT NULL, protected_population_record boolean NOT NULL,
    deceased boolean NOT NULL
);
CREATE TEMPORARY TABLE IF NOT EXISTS register_renamed (person_id uuid NOT NULL);
TRUNCATE register_row, register_renamed
"""
_COLUMNS = (
    "person_id", "given_names", "given_name_in_use", "surname", "sort_name", "protected_person_indicator",
    "protected_population_record", "deceased",
)  # fmt: skip
# People are locked in the order of their ids, like everywhere.
_LOCK = """
SELECT count(*) FROM (
    SELECT id FROM issuance_person WHERE id IN (SELECT person_id FROM register_row) ORDER BY id FOR NO KEY UPDATE
) locked
"""
_MERGE = """
WITH told AS (
    SELECT r.*, to_jsonb(array_remove(ARRAY[
        CASE WHEN p.given_names <> r.given_names THEN 'given_names' END,
        CASE WHEN p.given_name_in_use <> r.given_name_in_use THEN 'given_name_in_use' END,
        CASE WHEN p.surname <> r.surname THEN 'surname' END,
        CASE WHEN p.protected_person_indicator <> r.protected_person_indicator THEN 'protected_person_indicator' END,
        CASE WHEN p.protected_population_record <> r.protected_population_record THEN 'protected_population_record' END,
        CASE WHEN p.deceased <> r.deceased THEN 'deceased' END], NULL)) AS fields
    FROM register_row r JOIN issuance_person p ON p.id = r.person_id
    WHERE p.register_read_at IS NULL OR p.register_read_at < %(read_at)s
), done AS (
    UPDATE issuance_person p
    SET given_names = t.given_names, given_name_in_use = t.given_name_in_use, surname = t.surname, sort_name = t.sort_name,
        protected_person_indicator = t.protected_person_indicator, protected_population_record = t.protected_population_record,
        is_protected = t.protected_person_indicator OR t.protected_population_record, deceased = t.deceased,
        register_read_at = %(read_at)s
    FROM told t WHERE t.person_id = p.id
    RETURNING p.id, t.fields
), recorded AS (
    INSERT INTO issuance_event (at, actor_ref, action, subject_type, subject_ref, facts)
    SELECT %(now)s, %(rule)s, 'person.changed', 'person', id::text, jsonb_build_object('fields', fields)
    FROM done WHERE fields <> '[]'::jsonb ORDER BY id
    RETURNING 1
), renamed AS (
    INSERT INTO register_renamed SELECT id FROM done WHERE fields ?| %(renaming)s RETURNING 1
)
SELECT (SELECT count(*) FROM recorded), (SELECT count(*) FROM renamed)
"""


@dataclass(frozen=True)
class RegisterAnswers:
    """What the register has about people of ours, read at `read_at`. People whom it does not have are absent."""

    persons: tuple[tuple[UUID, RegisterPerson], ...]
    read_at: dt.datetime


def ask(person_ids: Sequence[UUID]) -> RegisterAnswers:
    """Reads these people in the register, by the preferred number of each. No transaction may be open. Writes nothing.

    Raises Unavailable or Refused.
    """
    numbers = PersonIdentifier.objects.filter(person__in=person_ids, valid_to=None).values_list("person_id", "kind", "value")
    order = [kind.value for kind in PREFERENCE]
    keys: dict[UUID, PersonKey] = {}
    for person_id, kind, value in sorted(numbers, key=lambda row: order.index(row[1]), reverse=True):
        keys[person_id] = PersonKey(kind, value)  # the preferred number comes last and stays
    read_at = clock.now()
    found = ports.get(PersonRegister).read_persons(list(keys.values())) if keys else {}
    return RegisterAnswers(tuple((pk, found[key]) for pk, key in sorted(keys.items()) if key in found), read_at)


def merge(answers: RegisterAnswers) -> int:
    """Updates the people, in the caller's transaction, and returns how many have changed.

    Each change is the event `person.changed` with the names of the fields, as if one person was read. An answer is not taken for
    a person who was read later.
    """
    values: dict[str, Any] = {
        "read_at": answers.read_at, "now": clock.now(), "rule": _RULE, "renaming": list(_RENAMING),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        bulk.copy("register_row", _COLUMNS, (_row(person_id, person) for person_id, person in answers.persons))
        cursor.execute(_LOCK)
        cursor.execute(_MERGE, values)
        changed, renamed = cursor.fetchone()
    if renamed:
        PersonScope.objects.refresh_listed("register_renamed")
    return int(changed)


def _row(person_id: UUID, person: RegisterPerson) -> tuple[object, ...]:
    return (
        person_id, person.given_names, person.given_name_in_use, person.surname,
        sort_name(person.surname, person.given_name_in_use), person.protected_person_indicator,
        person.protected_population_record, person.deceased,
    )  # fmt: skip
