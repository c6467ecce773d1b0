"""Bulk set-up from files: organisations, offices and role holders, checked first and created all or none (rules/issuance 7.8)."""

from issuance.imports.services.plan_organisations import customisation_word
from issuance.imports.services.planned_rows import PlannedSetupRow, SetupPlan
from issuance.imports.services.setup_importer import SETUP_IMPORTER, may_set_up

__all__ = ["SETUP_IMPORTER", "PlannedSetupRow", "SetupPlan", "customisation_word", "may_set_up"]
