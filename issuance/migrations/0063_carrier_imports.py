"""Files of cards from an earlier portal, and the link of such a card to certificates of another system (ADR 0311)."""

from typing import Any

from django.conf import settings
from django.db import migrations, models

import siths_portal.lib.ids

# Runs as the owner of the tables. The portal's role may not link a certificate that this portal issues, so that no single process
# writes an order and the link of its certificate.
FUNCTION = """
CREATE FUNCTION issuance_link_existing(certificates uuid[], carriers uuid[], eids uuid[], profiles text[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT FROM unnest(certificates, carriers) AS new (certificate, carrier)
    WHERE NOT EXISTS (SELECT FROM issuance_carrier c WHERE c.id = new.carrier AND c.origin = 'migrated')
      OR NOT EXISTS (
        SELECT FROM pki_certificate p
        WHERE p.id = new.certificate AND p.status IN ('issued', 'revoked') AND p.profile_version_id IS NULL
      )
  ) THEN
    RAISE EXCEPTION 'only certificates of another system, on cards from it' USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO issuance_carriercertificate (certificate_id, carrier_id, eid_id, profile, csr_sha256)
  SELECT new.certificate, new.carrier, new.eid, new.profile, ''
  FROM unnest(certificates, carriers, eids, profiles) AS new (certificate, carrier, eid, profile);
END $$;
"""
SIGNATURE = "issuance_link_existing(uuid[], uuid[], uuid[], text[])"


def make(_apps: Any, schema_editor: Any) -> None:
    """Makes the function, which our roles may call and nobody else."""
    roles = ", ".join(schema_editor.quote_name(role) for role in sorted(set(settings.DATABASE_ROLES.values())))
    schema_editor.execute(FUNCTION)
    schema_editor.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    schema_editor.execute(f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {roles}")


def unmake(_apps: Any, schema_editor: Any) -> None:
    """Undoes `make`."""
    schema_editor.execute(f"DROP FUNCTION {SIGNATURE}")


class Migration(migrations.Migration):
    """Adds a table and a function; no row changes."""

    dependencies = [("issuance", "0062_reserve_card_issues")]

    operations = [
        migrations.CreateModel(
            name="CarrierImport",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("owner_ref", models.CharField(max_length=200)),
                ("format", models.CharField(max_length=4)),
                ("sha256", models.CharField(max_length=64)),
                ("rows", models.JSONField()),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                ("made", models.JSONField(default=dict)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["expires_at"], name="issuance_carrier_import_ends"),
                    models.Index(fields=["owner_ref", "created_at"], name="issuance_carrier_import_owner"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("format__in", ["xlsx", "csv"])), name="issuance_carrier_import_format"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("done_at", None), ("rows", []), _connector="OR"),
                        name="issuance_carrier_import_done_is_empty",
                    ),
                ],
            },
        ),
        migrations.RunPython(make, unmake),
    ]
