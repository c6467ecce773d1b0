"""What an incident touches: the certificates that a selection names, their cards and holders, and all events of them.

The selection becomes temporary tables of one transaction, so that all files show the same moment and memory stays small.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

_ROWS = 2000


@dataclass(frozen=True)
class Selection:
    """What to export. Given values narrow each other; None is any. `since` and `until` are those of issuance, `until` exclusive.

    `ca` is the slug of a CA and `generation` one of its generations; `serial` is upper-case hex as stored. `card` is the number
    on a card, `person` the id of a person, `supplier` the reference of the client that made the cards.
    """

    ca: str | None = None
    generation: int | None = None
    serial: str | None = None
    card: str | None = None
    person: UUID | None = None
    supplier: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    def given(self) -> dict[str, Any]:
        """Returns what is not None, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Part:
    """One file of an export: its name, its columns and the query that makes its rows."""

    name: str
    columns: Sequence[str]
    query: str


_OF_CERTIFICATES = {
    "ca": "a.slug = %(ca)s",
    "generation": "a.generation = %(generation)s",
    "serial": "c.serial = %(serial)s",
    "since": "c.created_at >= %(since)s",
    "until": "c.created_at < %(until)s",
}
_OF_CARRIERS = {
    "card": "k.card_serial = %(card)s",
    "person": "k.person_id = %(person)s",
    "supplier": (
        "EXISTS (SELECT FROM issuance_orderitem i JOIN issuance_cardorder o ON o.id = i.order_id"
        " WHERE i.carrier_id = k.id AND o.supplier_ref = %(supplier)s)"
    ),
}
_CHOSEN = "SELECT k.id FROM issuance_carrier k WHERE {}"
_TABLES = (
    "CREATE TEMPORARY TABLE incident_certificate (id uuid PRIMARY KEY, carrier_id uuid) ON COMMIT DROP",
    "CREATE TEMPORARY TABLE incident_carrier (id uuid PRIMARY KEY) ON COMMIT DROP",
    "CREATE TEMPORARY TABLE incident_subject (app text, kind text, ref text, PRIMARY KEY (app, kind, ref)) ON COMMIT DROP",
)
_CERTIFICATES = """
INSERT INTO incident_certificate
SELECT c.id, CASE WHEN c.carrier_ref ~ '^carrier:[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'
  THEN substr(c.carrier_ref, 9)::uuid END
FROM pki_certificate c JOIN pki_certificateauthority a ON a.id = c.ca_id WHERE {}
"""
_SUBJECTS = """
INSERT INTO incident_subject
SELECT 'pki', 'certificate', id::text FROM incident_certificate
UNION SELECT 'issuance', 'carrier', id::text FROM incident_carrier
UNION SELECT 'issuance', 'eid', e.id::text FROM issuance_eid e JOIN incident_carrier k ON k.id = e.carrier_id
UNION SELECT 'issuance', 'order', i.order_id::text FROM issuance_orderitem i JOIN incident_carrier k ON k.id = i.carrier_id
UNION SELECT 'issuance', 'item', i.id::text FROM issuance_orderitem i JOIN incident_carrier k ON k.id = i.carrier_id
UNION SELECT 'issuance', 'transaction', t.id::text FROM issuance_eidapptransaction t
  JOIN incident_carrier k ON k.id = t.carrier_id
"""

PARTS = (
    Part(
        "certificates",
        ("id", "ca", "generation", "serial", "status", "held", "issued_at", "not_before", "not_after", "revoked_at", "reason",
         "invalidity_date", "carrier_id", "card_serial"),
        """
        SELECT c.id, a.slug, a.generation, c.serial, c.status, c.held, c.issued_at, c.not_before, c.not_after, c.revoked_at,
          c.reason, c.invalidity_date, f.carrier_id, k.card_serial
        FROM incident_certificate f JOIN pki_certificate c ON c.id = f.id JOIN pki_certificateauthority a ON a.id = c.ca_id
        LEFT JOIN issuance_carrier k ON k.id = f.carrier_id ORDER BY a.slug, a.generation, c.serial
        """,
    ),
    Part(
        "persons",
        ("person_id", "protected", "given_names", "surname", "identifier_kind", "identifier", "hsa_ids", "organisation",
         "carrier_id", "kind", "card_serial", "state"),
        """
        SELECT p.id, p.is_protected, p.given_names, p.surname, n.kind, n.value,
          (SELECT string_agg(DISTINCT e.hsa_id, ' ') FROM issuance_eid e WHERE e.carrier_id = k.id), o.name,
          k.id, k.kind, k.card_serial, k.state
        FROM incident_carrier f JOIN issuance_carrier k ON k.id = f.id JOIN issuance_organisation o ON o.id = k.organisation_id
        JOIN issuance_person p ON p.id = k.person_id
        LEFT JOIN issuance_personidentifier n ON n.person_id = p.id AND n.valid_to IS NULL ORDER BY p.id, k.id, n.kind
        """,
    ),
    Part(
        "timeline",
        ("at", "app", "event", "action", "actor_ref", "subject_type", "subject_ref", "facts"),
        """
        SELECT * FROM (
          SELECT e.at, s.app, e.id, e.action, e.actor_ref, e.subject_type, e.subject_ref, e.facts::text
          FROM incident_subject s JOIN pki_event e ON e.subject_type = s.kind AND e.subject_ref = s.ref WHERE s.app = 'pki'
          UNION ALL
          SELECT e.at, s.app, e.id, e.action, e.actor_ref, e.subject_type, e.subject_ref, e.facts::text
          FROM incident_subject s JOIN issuance_event e ON e.subject_type = s.kind AND e.subject_ref = s.ref
          WHERE s.app = 'issuance'
        ) AS told ORDER BY 1, 2, 3
        """,
    ),
)  # fmt: skip


def select(selection: Selection) -> None:
    """Fills the temporary tables, which last until the end of the caller's transaction."""
    given = selection.given()
    of_certificates = [condition for name, condition in _OF_CERTIFICATES.items() if name in given]
    of_carriers = [condition for name, condition in _OF_CARRIERS.items() if name in given]
    carriers = _CHOSEN.format(" AND ".join(of_carriers))
    if of_carriers:
        of_certificates.append(f"c.carrier_ref IN (SELECT 'carrier:' || k.id FROM ({carriers}) AS k)")  # noqa: S608  (tables of ours)
    with connection.cursor() as cursor:
        for statement in _TABLES:
            cursor.execute(statement)
        cursor.execute(_CERTIFICATES.format(" AND ".join(of_certificates)), given)
        cursor.execute(
            "INSERT INTO incident_carrier SELECT DISTINCT k.id FROM incident_certificate f JOIN issuance_carrier k"
            " ON k.id = f.carrier_id"
        )
        if of_carriers and len(given) == len(of_carriers):  # cards without a certificate too
            cursor.execute(f"INSERT INTO incident_carrier {carriers} ON CONFLICT DO NOTHING", given)
        cursor.execute(_SUBJECTS)
        for table in ("certificate", "carrier", "subject"):
            cursor.execute(f"ANALYZE incident_{table}")


def rows(part: Part) -> Iterator[tuple[Any, ...]]:
    """Yields the rows of a file, a few thousand at a time in memory."""
    with connection.cursor() as cursor:
        cursor.execute(f"DECLARE incident_rows NO SCROLL CURSOR FOR {part.query}")
        while True:
            cursor.execute(f"FETCH {_ROWS} FROM incident_rows")
            found = cursor.fetchall()
            if not found:
                break
            yield from found
        cursor.execute("CLOSE incident_rows")


def counts() -> dict[str, int]:
    """Returns how many rows each file gets, and how many persons there are."""
    found = {}
    with connection.cursor() as cursor:
        for part in PARTS:
            cursor.execute(f"SELECT count(*) FROM ({part.query}) AS part")  # noqa: S608  (queries of ours)
            (found[part.name],) = cursor.fetchone()
        cursor.execute("SELECT count(DISTINCT k.person_id) FROM incident_carrier f JOIN issuance_carrier k ON k.id = f.id")
        (found["persons"],) = cursor.fetchone()
    return found
