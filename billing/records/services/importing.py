"""What all imports of finance have in common: who may import, and for how long a file is kept."""

from typing import Any

from billing.records.models import Event
from issuance.authz import Action, Actor, policy
from siths_portal.lib.errors import NotFound
from siths_portal.lib.imports.importer import Importer
from siths_portal.lib.imports.models import KeptImport
from siths_portal.lib.imports.planning import ImportPlan
from siths_portal.lib.imports.reading import ImportedRow


class FinanceImporter[F: KeptImport, R: ImportedRow, P: ImportPlan[Any]](Importer[Actor, F, R, P]):
    """An import by finance administrators, with the events of `billing`."""

    event = Event
    hours = 24

    def require(self, actor: Actor) -> None:
        """Passes for finance administrators."""
        policy.require_global(actor, Action.MANAGE_BILLING)

    def admit(self, actor: Actor) -> None:
        """Passes: the few finance administrators may send any number of files."""

    def not_found(self) -> NotFound:
        """Returns the usual error."""
        return policy.not_found()
