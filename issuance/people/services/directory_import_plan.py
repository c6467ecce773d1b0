"""Computes in temporary tables, without locks, what a staged file of the HSA directory would change.

`import_row` holds the file. `import_key` maps its numbers to people. `import_post` has each assignment once, with the planned
action (`act`). `import_new` holds new people, `import_changed` those whose name or protection changes, `import_named` those whose
name in the file begins or ceases to differ from the register's, `import_lost` assignments that end.
"""

import datetime as dt
from dataclasses import dataclass, field

from django.db import connection

from siths_portal.lib.database import plans

STAGING = "import_row"
LEAVING = ("move", "end", "lapse")
"""Acts by which an assignment moves, ends because its last day in the new place has passed, or stays but is past its last day."""

_TABLES = (STAGING, "import_key", "import_post", "import_new", "import_changed", "import_named", "import_lost")

_STAGE = """
CREATE TEMPORARY TABLE import_row (
    line integer NOT NULL, problem text NOT NULL, field text NOT NULL, hsa_id text NOT NULL, hsa_upper text NOT NULL,
    kind text NOT NULL, value text NOT NULL, synthetic boolean NOT NULL,
    given_name text NOT NULL, surname text NOT NULL, sort_name text NOT NULL,
    title text NOT NULL, mail text NOT NULL, upn text NOT NULL, valid_to date,
    protected boolean NOT NULL, protection_told boolean NOT NULL,
    organisation_id uuid, organisation_hsa text NOT NULL, new_person_id uuid NOT NULL, new_post_id uuid NOT NULL
)
"""

_KEYS = """
CREATE TEMPORARY TABLE import_key AS
SELECT DISTINCT ON (r.kind, r.value) r.kind, r.value, r.synthetic, coalesce(i.person_id, r.new_person_id) AS person_id,
       i.person_id IS NULL AS is_new, i.person_id IS NULL AND e.value IS NOT NULL AS has_ended
FROM import_row r
LEFT JOIN issuance_personidentifier i ON i.kind = r.kind AND i.value = r.value AND i.valid_to IS NULL
LEFT JOIN (SELECT DISTINCT kind, value FROM issuance_personidentifier WHERE valid_to IS NOT NULL) e
       ON e.kind = r.kind AND e.value = r.value
WHERE r.problem = ''
ORDER BY r.kind, r.value, r.line
"""

# A number that a person had never goes to a new person. An HSA-id that the file gives to several people is refused.
_REFUSE_ENDED = """
UPDATE import_row r SET problem = 'person-id-ended', field = 'person_id'
FROM import_key k WHERE k.has_ended AND r.kind = k.kind AND r.value = k.value AND r.problem = ''
"""
_REFUSE_TWICE = """
UPDATE import_row r SET problem = 'hsa-id-twice', field = 'hsa_id'
FROM (
    SELECT hsa_upper FROM import_row JOIN import_key USING (kind, value) WHERE problem = ''
    GROUP BY hsa_upper
    HAVING count(*) > 1 AND (min(person_id::text) <> max(person_id::text)
                             OR min(organisation_id::text) <> max(organisation_id::text))
) twice
WHERE r.hsa_upper = twice.hsa_upper AND r.problem = ''
"""

# If several rows have the same assignment, the one that lasts longest counts, then the first.
_POSTS = """
CREATE TEMPORARY TABLE import_post AS
WITH one AS (
    SELECT DISTINCT ON (r.hsa_upper) r.hsa_upper, r.hsa_id, r.title, r.mail, r.upn, r.valid_to, r.organisation_id,
           r.new_post_id, k.person_id, k.is_new
    FROM import_row r JOIN import_key k USING (kind, value)
    WHERE r.problem = '' AND r.organisation_id IS NOT NULL
    ORDER BY r.hsa_upper, r.valid_to DESC NULLS FIRST, r.line
), ended AS (
    SELECT upper(hsa_id) AS hsa_upper, min(person_id::text) AS one, max(person_id::text) AS other, max(ended_at) AS ended_at
    FROM issuance_post WHERE ended_at IS NOT NULL GROUP BY 1
)
SELECT one.*, p.id AS post_id,
       CASE WHEN p.person_id <> one.person_id THEN 'hsa-id-of-another'
            WHEN p.synced_at > %(as_of)s THEN 'newer'
            WHEN p.organisation_id <> one.organisation_id AND one.valid_to < %(today)s THEN 'end'
            WHEN p.organisation_id <> one.organisation_id THEN 'move'
            WHEN p.id IS NOT NULL AND (p.title, p.mail, p.upn, p.valid_to)
                 IS NOT DISTINCT FROM (one.title, one.mail, one.upn, one.valid_to) THEN 'same'
            WHEN one.valid_to < %(today)s AND coalesce(p.valid_to >= %(today)s, p.id IS NOT NULL) THEN 'lapse'
            WHEN p.id IS NOT NULL THEN 'change'
            WHEN ended.one <> one.person_id::text OR ended.other <> one.person_id::text THEN 'hsa-id-was-anothers'
            WHEN ended.ended_at > %(as_of)s THEN 'newer'
            WHEN one.valid_to < %(today)s THEN 'over'
            ELSE 'add' END AS act,
       to_jsonb(array_remove(ARRAY[CASE WHEN p.title <> one.title THEN 'title' END, CASE WHEN p.mail <> one.mail THEN 'mail' END,
                                   CASE WHEN p.upn <> one.upn THEN 'upn' END,
                                   CASE WHEN p.valid_to IS DISTINCT FROM one.valid_to THEN 'valid_to' END], NULL)) AS fields
FROM one
LEFT JOIN issuance_post p ON upper(p.hsa_id) = one.hsa_upper AND p.ended_at IS NULL
LEFT JOIN ended ON ended.hsa_upper = one.hsa_upper
"""
_REFUSE_ANOTHERS = """
UPDATE import_row r SET problem = p.act, field = 'hsa_id' FROM import_post p
WHERE p.act IN ('hsa-id-of-another', 'hsa-id-was-anothers') AND p.hsa_upper = r.hsa_upper AND r.problem = ''
"""

# A person's name comes from their first row. Any row of theirs may set protection, also one without an assignment.
_NEW = """
CREATE TEMPORARY TABLE import_new AS
SELECT named.*, told.protected
FROM (
    SELECT DISTINCT ON (k.person_id) k.person_id, k.kind, k.value, k.synthetic, r.given_name, r.surname, r.sort_name
    FROM import_key k JOIN import_row r USING (kind, value)
    WHERE k.is_new AND r.problem = '' AND r.organisation_id IS NOT NULL
    ORDER BY k.person_id, r.line
) named
JOIN (SELECT kind, value, bool_or(protected) AS protected FROM import_row WHERE value <> '' GROUP BY 1, 2) told
  USING (kind, value)
WHERE EXISTS (SELECT FROM import_post p WHERE p.person_id = named.person_id AND p.act = 'add')
"""

# The register's names take precedence over the file's (rules/issuance 3.2), as does protection read after the file was made. A
# file may mark a person as protected but never removes the mark.
_CHANGED = """
CREATE TEMPORARY TABLE import_changed AS
WITH told AS (
    SELECT k.person_id, bool_or(r.protected) AS protected
    FROM import_key k JOIN import_row r USING (kind, value) WHERE NOT k.is_new GROUP BY 1
), named AS (
    SELECT DISTINCT ON (k.person_id) k.person_id, r.given_name, r.surname, r.sort_name
    FROM import_key k JOIN import_row r USING (kind, value)
    WHERE NOT k.is_new AND r.problem = '' AND r.organisation_id IS NOT NULL
    ORDER BY k.person_id, r.line
), found AS (
    SELECT p.id AS person_id, n.given_name, n.surname, n.sort_name,
           n.person_id IS NOT NULL AND p.register_read_at IS NULL AND p.given_names <> n.given_name AS given_names,
           n.person_id IS NOT NULL AND p.register_read_at IS NULL AND p.given_name_in_use <> n.given_name AS in_use,
           n.person_id IS NOT NULL AND p.register_read_at IS NULL AND p.surname <> n.surname AS surnamed,
           told.protected AND NOT p.is_protected AND (p.register_read_at IS NULL OR p.register_read_at <= %(as_of)s) AS shielded
    FROM told JOIN issuance_person p ON p.id = told.person_id LEFT JOIN named n ON n.person_id = p.id
)
SELECT person_id, given_name, surname, sort_name, given_names OR in_use OR surnamed AS renamed, shielded,
       to_jsonb(array_remove(ARRAY[CASE WHEN given_names THEN 'given_names' END, CASE WHEN in_use THEN 'given_name_in_use' END,
                                   CASE WHEN surnamed THEN 'surname' END,
                                   CASE WHEN shielded THEN 'protected_person_indicator' END], NULL)) AS fields
FROM found WHERE given_names OR in_use OR surnamed OR shielded
"""

# Names of the file that the register's take precedence over. Catalogues write all given names or the one in use.
_NAMED = """
CREATE TEMPORARY TABLE import_named AS
WITH named AS (
    SELECT DISTINCT ON (k.person_id) k.person_id, r.given_name, r.surname
    FROM import_key k JOIN import_row r USING (kind, value)
    WHERE NOT k.is_new AND r.problem = '' AND r.organisation_id IS NOT NULL
    ORDER BY k.person_id, r.line
), compared AS (
    SELECT n.*, p.register_read_at IS NOT NULL AND (
               lower(n.given_name) NOT IN (lower(p.given_name_in_use), lower(p.given_names))
               OR lower(n.surname) <> lower(p.surname)) AS differs
    FROM named n JOIN issuance_person p ON p.id = n.person_id
)
SELECT c.* FROM compared c LEFT JOIN issuance_cataloguename o ON o.person_id = c.person_id
WHERE c.differs <> (o.person_id IS NOT NULL) OR c.differs AND (o.given_name, o.surname) <> (c.given_name, c.surname)
"""

# An assignment in any row of the file is not lost, unless it is now in an organisation that the portal lacks.
_LOST = """
CREATE TEMPORARY TABLE import_lost AS
WITH seen AS (
    SELECT DISTINCT hsa_upper FROM import_row WHERE hsa_upper <> '' AND (problem <> '' OR organisation_id IS NOT NULL)
), elsewhere AS (
    SELECT DISTINCT r.hsa_upper, k.person_id FROM import_row r JOIN import_key k USING (kind, value)
    WHERE r.problem = '' AND r.organisation_id IS NULL
)
SELECT p.id AS post_id, p.person_id FROM issuance_post p
LEFT JOIN seen ON seen.hsa_upper = upper(p.hsa_id)
LEFT JOIN elsewhere e ON e.hsa_upper = upper(p.hsa_id)
WHERE %(full)s AND p.ended_at IS NULL AND p.synced_at <= %(as_of)s AND seen.hsa_upper IS NULL
  AND (e.hsa_upper IS NULL OR e.person_id = p.person_id)
"""

_COUNTS = """
SELECT (SELECT count(*) FROM import_row),
       (SELECT count(*) FROM import_row WHERE problem <> ''),
       (SELECT count(*) FROM import_row WHERE problem <> '' AND hsa_upper = ''),
       (SELECT count(*) FROM import_row WHERE protection_told),
       (SELECT count(*) FROM import_row WHERE problem = '' AND organisation_id IS NULL),
       (SELECT count(DISTINCT organisation_hsa) FROM import_row WHERE problem = '' AND organisation_id IS NULL),
       (SELECT count(*) FROM import_new),
       (SELECT count(*) FROM import_changed),
       (SELECT count(*) FROM import_changed WHERE shielded),
       (SELECT count(*) FROM import_named),
       (SELECT count(*) FROM import_lost),
       (SELECT count(*) FROM import_lost JOIN issuance_person p ON p.id = person_id
        WHERE p.is_protected AND NOT EXISTS (SELECT FROM import_row WHERE protected)),
       (SELECT count(*) FROM issuance_post WHERE ended_at IS NULL)
"""


@dataclass
class DirectoryImportCounts:
    """The content of a file and its planned changes. `unread` counts refused rows without a readable HSA-id.

    `elsewhere` counts rows of `strangers`, the organisations that the portal lacks. `live` counts current assignments.
    `named_otherwise` counts people of whom it is news that the file has another name than the register, or the same again.
    `lost_protected` counts lost assignments of protected people if the file marks nobody as protected.
    """

    rows: int
    refused: int
    unread: int
    protection_told: int
    elsewhere: int
    strangers: int
    new_people: int
    changed_people: int
    shielded: int
    named_otherwise: int
    lost: int
    lost_protected: int
    live: int
    posts: dict[str, int] = field(default_factory=dict)
    held: int = 0

    @property
    def changes(self) -> int:
        """The number of people, names and assignments that would change."""
        acts = sum(self.posts.get(act, 0) for act in ("add", "change", *LEAVING))
        return acts + self.new_people + self.changed_people + self.named_otherwise + self.lost

    @property
    def ended(self) -> int:
        """The number of assignments that would end or be past their last day."""
        return self.lost + self.posts.get("end", 0) + self.posts.get("lapse", 0)


@dataclass(frozen=True)
class RefusedRow:
    """A refused row: its line, the field, and the error code."""

    line: int
    field: str
    code: str


def stage() -> None:
    """Creates the empty staging table in the session after removing that of an earlier run."""
    clear()
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)


def clear(*, plan_only: bool = False) -> None:
    """Drops the temporary tables. With `plan_only`, keeps the staged rows and their own errors."""
    with connection.cursor() as cursor:
        for table in _TABLES[1 if plan_only else 0 :]:
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{table}")


def work_out(*, as_of: dt.datetime, today: dt.date, full: bool) -> DirectoryImportCounts:
    """Plans the changes of the staged rows against the current mirror, replacing an earlier plan.

    Assignments read from the HSA directory after `as_of` are newer than the file and do not change.
    """
    clear(plan_only=True)
    with plans.without_loops(), connection.cursor() as cursor:
        cursor.execute("ANALYZE import_row")
        cursor.execute("UPDATE import_row SET problem = '', field = '' WHERE problem <> '' AND value <> ''")
        cursor.execute(_KEYS)
        cursor.execute("ANALYZE import_key")
        cursor.execute(_REFUSE_ENDED)
        cursor.execute(_REFUSE_TWICE)
        cursor.execute(_POSTS, {"as_of": as_of, "today": today})
        cursor.execute("ANALYZE import_post")
        cursor.execute(_REFUSE_ANOTHERS)
        cursor.execute(_NEW)
        cursor.execute(_CHANGED, {"as_of": as_of})
        cursor.execute(_NAMED)
        cursor.execute(_LOST, {"as_of": as_of, "full": full})
        for table in ("import_new", "import_changed", "import_named", "import_lost"):
            cursor.execute(f"ANALYZE {table}")
        cursor.execute(_COUNTS)
        counts = DirectoryImportCounts(*cursor.fetchone())
        cursor.execute("SELECT act, count(*) FROM import_post GROUP BY act")
        counts.posts.update(cursor.fetchall())
        return counts


def hold_losses(*, moves: bool) -> None:
    """Removes from the plan the ending of assignments that the file lacks; with `moves`, also the acts in `LEAVING`."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM import_lost")
        if moves:
            cursor.execute("UPDATE import_post SET act = 'held' WHERE act IN %s", [LEAVING])


def hold_protected() -> None:
    """Removes from the plan the ending of protected people's assignments that the file lacks."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM import_lost USING issuance_person p WHERE p.id = person_id AND p.is_protected")


def problems(limit: int) -> list[RefusedRow]:
    """Returns at most `limit` refused rows, in the file's order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT line, field, problem FROM import_row WHERE problem <> '' ORDER BY line LIMIT %s", [limit])
        rows: list[tuple[int, str, str]] = cursor.fetchall()
    return [RefusedRow(*row) for row in rows]
