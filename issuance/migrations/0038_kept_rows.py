"""Rows that answer for what was issued, and to whom, cannot be removed by the portal's processes (ADR 0298)."""

from django.db import migrations

from siths_portal.lib.events import kept

_TABLES = (
    "issuance_person",
    "issuance_personidentifier",
    "issuance_post",
    "issuance_rolegrant",
    "issuance_rolerequest",
    "issuance_qualification",
    "issuance_carrier",
    "issuance_carriercertificate",
    "issuance_eid",
    "issuance_cardorder",
    "issuance_eidapptransaction",
    "issuance_heldrevocation",
    "issuance_organisation",
    "issuance_formerplace",
    "issuance_formerissuer",
)


class Migration(migrations.Migration):
    """Adds triggers and takes the rights."""

    dependencies = [("issuance", "0037_held_revocations")]

    operations = [operation for table in _TABLES for operation in kept(table)]
