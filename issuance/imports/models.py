"""Set-up files, kept until they are executed or expire."""

from siths_portal.lib.imports.models import KeptImport, constraints, indexes


class SetupImport(KeptImport):
    """A set-up file that a user uploaded. `made` has the ids of created organisations and offices, and counts of the rest."""

    class Meta:
        constraints = constraints("issuance_setup_import")
        indexes = indexes("issuance_setup_import")
