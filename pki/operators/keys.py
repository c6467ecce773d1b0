"""The inventory of keys in tokens, for the operators' pages."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pki.domain.key_inventory import InventoryReport
from pki.models import CertificateAuthority, HsmKey, KeyInventory, OcspSigner
from siths_portal.lib.lists import Rows

__all__ = ["InventoryReport", "KeyView", "destroyed_keys", "keys_in_use", "latest_inventory"]


@dataclass(frozen=True)
class KeyView:
    """A key of the inventory. `used_by` has the names of the CAs that use it, themselves or in their responder.

    `finding` is the newest inventory's, empty before the first.
    """

    key_id: str
    purpose: str
    token_label: str
    label: str
    algorithm: str
    attributes: Mapping[str, object]
    provenance: str
    ceremony_sha256: str
    seals: int
    checked_at: dt.datetime | None
    finding: str
    finding_facts: Mapping[str, object]
    created_at: dt.datetime
    retired_at: dt.datetime | None
    used_by: tuple[str, ...]


def keys_in_use() -> list[KeyView]:
    """Returns every key that is not destroyed, by purpose and label."""
    return _views(list(HsmKey.objects.defer("public_key_der").filter(retired_at=None).order_by("purpose", "label")))


def destroyed_keys() -> Rows[HsmKey, KeyView]:
    """Returns destroyed keys."""
    return Rows(HsmKey.objects.defer("public_key_der").filter(retired_at__isnull=False), _views)


def latest_inventory() -> InventoryReport | None:
    """Returns the result of the newest inventory of the tokens, or None before the first."""
    row = KeyInventory.newest()
    return row.report() if row else None


def _views(rows: Sequence[HsmKey]) -> list[KeyView]:
    ids = [row.key_id for row in rows]
    users: dict[str, list[str]] = {}
    for key_id, name in CertificateAuthority.objects.filter(key_id__in=ids).values_list("key_id", "common_name"):
        users.setdefault(key_id, []).append(name)
    for key_id, name in OcspSigner.objects.filter(key_id__in=ids).values_list("key_id", "ca__common_name"):
        users.setdefault(key_id, []).append(name)
    return [_view(row, tuple(users.get(row.key_id, ()))) for row in rows]


def _view(row: HsmKey, used_by: tuple[str, ...]) -> KeyView:
    return KeyView(
        key_id=row.key_id,
        purpose=row.purpose,
        token_label=row.token_label,
        label=row.label,
        algorithm=row.algorithm,
        attributes=row.attributes,
        provenance=row.provenance,
        ceremony_sha256=row.ceremony_sha256,
        seals=row.seals,
        checked_at=row.checked_at,
        finding=row.finding,
        finding_facts=row.finding_facts,
        created_at=row.created_at,
        retired_at=row.retired_at,
        used_by=used_by,
    )
