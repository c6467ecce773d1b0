"""The plan of a set-up file as things stand now: shown in the preview, and worked out again when it is carried out."""

from collections.abc import Sequence

from issuance.authz import Actor
from issuance.imports.domain import SETUP_TABLES, SetupTable
from issuance.imports.services import plan_offices, plan_organisations, plan_roles
from issuance.imports.services.existing_setup import existing_setup
from issuance.imports.services.planned_rows import PlannedSetupRow, SetupPlan, SetupRow
from siths_portal.lib.imports.planning import RowOutcome


def plan(actor: Actor, rows: Sequence[SetupRow]) -> SetupPlan:
    """Returns what becomes of each row, in a number of queries that does not depend on the number of rows (S11)."""
    existing = existing_setup(actor, rows)
    planned = [PlannedSetupRow(row, SETUP_TABLES[row.kind]) for row in rows]
    of = {kind: [each for each in planned if each.row.kind == kind] for kind in SetupTable}
    order = plan_organisations.plan(of[SetupTable.ORGANISATIONS], existing)
    plan_offices.plan(of[SetupTable.OFFICES], existing)
    plan_roles.plan(of[SetupTable.ROLES], existing, actor)
    return SetupPlan(planned, [each for each in order if each.outcome is RowOutcome.CREATE])
