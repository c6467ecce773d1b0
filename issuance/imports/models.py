"""Files of users, kept until they are executed or expire."""

from siths_portal.lib.imports.models import KeptImport, constraints, indexes


class SetupImport(KeptImport):
    """A set-up file that a user uploaded. `made` has the ids of created organisations and offices, and counts of the rest."""

    class Meta:
        constraints = constraints("issuance_setup_import")
        indexes = indexes("issuance_setup_import")


class CarrierImport(KeptImport):
    """A file of cards from an earlier portal. `made` has the numbers of cards, eIDs and connected certificates."""

    class Meta:
        constraints = constraints("issuance_carrier_import")
        indexes = indexes("issuance_carrier_import")
