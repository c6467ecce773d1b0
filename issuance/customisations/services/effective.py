"""The card customisation that applies to an organisation, and whether cards can be made with it."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from issuance.customisations.models import CardCustomisation
from issuance.organisations.models import Organisation
from siths_portal.lib.database.prepared import prepared


def effective_customisations(organisations: Iterable[Organisation]) -> dict[UUID, CardCustomisation]:
    """Returns each organisation's own card customisation, or the nearest one above; organisations without one are absent."""
    targets = list(organisations)
    paths = sorted({path for organisation in targets for path in paths_upward(organisation.scope_path)})
    by_path = {row.scope_path: row.customisation for row in _customised(paths) if row.customisation is not None}
    found = {}
    for organisation in targets:
        nearest = next((path for path in reversed(paths_upward(organisation.scope_path)) if path in by_path), None)
        if nearest is not None:
            found[organisation.id] = by_path[nearest]
    return found


@prepared
def _customised(paths: list[str]) -> QuerySet[Organisation]:
    return Organisation.objects.filter(scope_path__in=paths, customisation__isnull=False).select_related("customisation")


def paths_upward(scope_path: str) -> list[str]:
    """Returns the scope paths of the areas and organisations above one, the outermost first, and its own."""
    parts = scope_path.strip("/").split("/")
    return ["/" + "/".join(parts[:length]) + "/" for length in range(1, len(parts) + 1)]


def prints(customisation: CardCustomisation) -> bool:
    """True if cards can be made with it: it has a supplier and an issuer number, and is verified."""
    ready = customisation.verified_at is not None and bool(customisation.issuer_number)
    return ready and bool(customisation.supplier_ref)
