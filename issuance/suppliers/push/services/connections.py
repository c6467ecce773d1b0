"""The row of a supplier's connection: when the supplier was heard, and whether calls to it go on."""

import datetime as dt

from issuance.suppliers.push.models import SupplierConnection
from siths_portal.lib import clock

_HEARD_EVERY = dt.timedelta(minutes=1)
"""How precisely the portal knows when a supplier last called. The row is written no more often."""


def locked(client_ref: str) -> SupplierConnection:
    """Returns the supplier's row, made if missing, locked until the caller's transaction ends."""
    SupplierConnection.objects.bulk_create([SupplierConnection(supplier_ref=client_ref)], ignore_conflicts=True)
    return SupplierConnection.objects.select_for_update(no_key=True).get(pk=client_ref)


def heard(client_ref: str) -> None:
    """Notes that the supplier called the API."""
    now = clock.now()
    known = SupplierConnection.objects.filter(pk=client_ref).values_list("heard_at", flat=True)
    last = known.first()
    if last is not None and now - _HEARD_EVERY < last <= now:
        return
    if not SupplierConnection.objects.filter(pk=client_ref).update(heard_at=now):
        SupplierConnection.objects.bulk_create([SupplierConnection(supplier_ref=client_ref, heard_at=now)], ignore_conflicts=True)
