"""The plan of a set-up file in the present state: the preview shows it, and the execution computes it again."""

from collections.abc import Sequence

from issuance.authz import Actor
from issuance.imports.domain import SETUP_TABLES, SetupTable
from issuance.imports.services import plan_offices, plan_organisations, plan_roles
from issuance.imports.services.existing_setup import existing_setup
from issuance.imports.services.planned_rows import PlannedSetupRow, SetupPlan, SetupRow
from siths_portal.lib.imports.planning import RowOutcome


def plan(actor: Actor, rows: Sequence[SetupRow]) -> SetupPlan:
    """Returns the plan of the rows. The number of queries does not depend on the number of rows (S11)."""
    existing = existing_setup(actor, rows)
    planned = [PlannedSetupRow(row, SETUP_TABLES[row.kind]) for row in rows]
    by_table = {kind: [each for each in planned if each.row.kind == kind] for kind in SetupTable}
    order = plan_organisations.plan(by_table[SetupTable.ORGANISATIONS], existing)
    plan_offices.plan(by_table[SetupTable.OFFICES], existing)
    plan_roles.plan(by_table[SetupTable.ROLES], existing, actor)
    return SetupPlan(planned, [each for each in order if each.outcome is RowOutcome.CREATE])
