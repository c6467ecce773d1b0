"""Comparison of the states of carriers, eIDs, orders and transactions with the events of their steps (ADR 0298)."""

from collections.abc import Iterator
from uuid import UUID

from django.db import connection, models

from issuance.activation.models import EidAppTransaction
from issuance.carriers.models import Carrier, Eid
from issuance.mobile.models import MobileEnrolment
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.records.services.comparing import Check
from issuance.register_care.models import WorkItem
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.stock.models import StockCard

_BATCH = 5000
_FIRST = UUID(int=0)
_MODELS: dict[type[models.Model], tuple[str, str]] = {
    Carrier: ("carrier", "kort"),
    Eid: ("eid", "e-legitimation"),
    CardOrder: ("order", "beställning"),
    OrderItem: ("item", "del av beställning"),
    EidOrder: ("eid_order", "beställning av eID"),
    EidAppTransaction: ("transaction", "aktivering"),
    StockCard: ("stock_card", "reservkort i lager"),
    WorkItem: ("work_item", "rad i registervård"),
    MobileEnrolment: ("mobile_enrolment", "ärende om mobilt SITHS"),
    ReserveCardIssue: ("reserve_issue", "utlämning av reservkort"),
}


def verify_states() -> Check:
    """Compares each row's state and number of steps with the event of its newest step, in batches. Also reports rows without an
    event and events whose row is missing.
    """
    checked, wrong = 0, list[str]()
    for model, (subject, word) in _MODELS.items():
        table = connection.ops.quote_name(model._meta.db_table)
        key = "uuid" if isinstance(model._meta.pk, models.UUIDField) else "bigint"
        for id_, state, seq, recorded_state, recorded_seq in _rows(table, subject, key):
            checked += 1
            if recorded_seq is None:
                wrong.append(f"{word} {id_} har ingen händelse")
            elif (state, seq) != (recorded_state, recorded_seq):
                wrong.append(f"{word} {id_} är {state} och enligt händelserna {recorded_state}")
        wrong += [f"{word} {id_} finns i händelserna men inte i tabellen" for id_ in _missing(table, subject, key)]
    return Check(checked, tuple(wrong))


def _rows(table: str, subject: str, key: str) -> Iterator[tuple[UUID | int, str, int, str | None, int | None]]:
    statement = f"""
    SELECT part.id, part.state, part.seq, told.state, told.subject_seq
    FROM (SELECT id, state, seq FROM {table} WHERE id > %s ORDER BY id LIMIT {_BATCH}) AS part LEFT JOIN LATERAL (
      SELECT subject_seq, facts->>'to' AS state FROM issuance_event
      WHERE subject_type = %s AND subject_ref = part.id::text AND subject_seq IS NOT NULL ORDER BY subject_seq DESC LIMIT 1
    ) AS told ON TRUE ORDER BY part.id
    """  # noqa: S608  (a table of ours)
    after: UUID | int = _FIRST if key == "uuid" else 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, [after, subject])
            rows = cursor.fetchall()
        if not rows:
            return
        yield from rows
        after = rows[-1][0]


def _missing(table: str, subject: str, key: str) -> list[str]:
    statement = f"""
    SELECT subject_ref FROM issuance_event AS told WHERE subject_type = %s AND subject_seq = 1
    AND NOT EXISTS (SELECT FROM {table} AS kept WHERE kept.id = told.subject_ref::{key}) ORDER BY subject_ref
    """  # noqa: S608  (a table of ours)
    with connection.cursor() as cursor:
        cursor.execute(statement, [subject])
        return [reference for (reference,) in cursor.fetchall()]
