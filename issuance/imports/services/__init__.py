"""Bulk set-up from files: organisations, offices and role holders, looked at first and made all or none (rules/issuance 7.8)."""

from issuance.imports.services.imports import Stale, carry_out, give_up, keep, may_set_up, own, planned, require_setting_up
from issuance.imports.services.lines import MAX_NEW, ImportPlan, PlannedRow, RowOutcome, grouped
from issuance.imports.services.plan_organisations import customisation_word

__all__ = [
    "MAX_NEW",
    "ImportPlan",
    "PlannedRow",
    "RowOutcome",
    "Stale",
    "carry_out",
    "customisation_word",
    "give_up",
    "grouped",
    "keep",
    "may_set_up",
    "own",
    "planned",
    "require_setting_up",
]
