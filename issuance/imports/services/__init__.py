"""Files of users, checked first and carried out completely or not at all: the set-up (rules/issuance 7.8), and cards from an
earlier portal (7.12).
"""

from issuance.imports.services.carrier_importer import CARRIER_IMPORTER, may_import
from issuance.imports.services.carrier_rows import CarrierPlan
from issuance.imports.services.plan_organisations import customisation_word
from issuance.imports.services.planned_rows import PlannedSetupRow, SetupPlan
from issuance.imports.services.setup_importer import SETUP_IMPORTER, may_set_up

__all__ = [
    "CARRIER_IMPORTER",
    "SETUP_IMPORTER",
    "CarrierPlan",
    "PlannedSetupRow",
    "SetupPlan",
    "customisation_word",
    "may_import",
    "may_set_up",
]
