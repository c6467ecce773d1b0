"""What becomes of a file as things stand now: told before anything is done, and asked again when it is carried out."""

from collections.abc import Sequence

from issuance.authz import Actor
from issuance.imports.domain import Kind
from issuance.imports.services import plan_offices, plan_organisations, plan_roles
from issuance.imports.services.known import known
from issuance.imports.services.lines import ImportPlan, PlannedRow, RowOutcome
from issuance.imports.services.reading import Row


def plan(actor: Actor, rows: Sequence[Row]) -> ImportPlan:
    """What becomes of each row, in a number of queries that does not depend on how many they are (S11)."""
    there = known(actor, rows)
    lines = [_line(row) for row in rows]
    of = {kind: [line for line in lines if line.row.kind is kind] for kind in Kind}
    order = plan_organisations.plan(of[Kind.ORGANISATIONS], there)
    plan_offices.plan(of[Kind.OFFICES], there)
    plan_roles.plan(of[Kind.ROLES], there, actor)
    return ImportPlan(lines, [line for line in order if line.outcome is RowOutcome.MAKE])


def _line(row: Row) -> PlannedRow:
    line = PlannedRow(row)
    for field, message in row.odd.items():
        line.refuse(field, message)
    return line
