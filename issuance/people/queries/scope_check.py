"""Checks stored scope paths and person scopes against the rows from which they derive."""

from dataclasses import dataclass

from django.db import connection

from issuance.people.models.person_scope import PersonScope

_PATHS = """
    SELECT 'area', id FROM issuance_issuingarea
    WHERE scope_path <> '/a' || right(replace(id::text, '-', ''), 12) || '/'
    UNION ALL
    SELECT 'organisation', o.id FROM issuance_organisation o
    JOIN issuance_issuingarea a ON a.id = o.area_id
    LEFT JOIN issuance_organisation p ON p.id = o.parent_id
    WHERE o.scope_path <> coalesce(p.scope_path, a.scope_path) || 'o' || right(replace(o.id::text, '-', ''), 12) || '/'
       OR p.area_id <> o.area_id
    ORDER BY 1, 2
"""

_EID_ORDERS = """
    SELECT o.id FROM issuance_eidorder o
    JOIN issuance_post p ON p.id = o.post_id
    JOIN issuance_carrier c ON c.id = o.carrier_id
    WHERE o.organisation_id <> p.organisation_id OR c.person_id IS DISTINCT FROM p.person_id
    ORDER BY 1
"""


@dataclass(frozen=True)
class ScopeFaults:
    """Mismatches: rows of the tree whose path does not follow from their parent's, eID orders whose organisation is not their
    assignment's or whose holder is not its person, and rows of `PersonScope`."""

    paths: list[str]
    eid_orders: list[str]
    missing: int
    surplus: int
    misnamed: int

    @property
    def ok(self) -> bool:
        """True without mismatches."""
        return not (self.paths or self.eid_orders or self.missing or self.surplus or self.misnamed)


def scope_faults() -> ScopeFaults:
    """Compares each path with its parent's, eID orders with assignments and carriers, and `PersonScope` with assignments,
    carriers and eIDs.

    Comparing each path with its parent's is enough to verify every path.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PATHS)
        paths = [f"{kind} {row_id}" for kind, row_id in cursor.fetchall()]
        cursor.execute(_EID_ORDERS)
        eid_orders = [str(row_id) for (row_id,) in cursor.fetchall()]
    return ScopeFaults(paths, eid_orders, *PersonScope.objects.differences())
