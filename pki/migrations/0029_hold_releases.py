"""Requests to end a hold, and the rule that a hold ends by one whose card the `pki` worker has proven (ADR 0315)."""

import django.db.models.deletion
from django.db import migrations, models

from siths_portal.lib.events import append_only

GUARD = """
CREATE FUNCTION pki_refuse_unproven_release() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM pki_holdrelease release JOIN pki_secretdelivery delivery ON delivery.id = release.delivery_id
    WHERE release.certificate_id = NEW.id AND delivery.owner_ref = NEW.carrier_ref
      AND delivery.kind = 'activate' AND delivery.proof_verified_at IS NOT NULL
  ) THEN
    RAISE EXCEPTION 'certificate %: no proof of its card releases the hold', NEW.id USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER pki_certificate_hold_ends_by_a_proof BEFORE UPDATE OF held ON pki_certificate
  FOR EACH ROW WHEN (OLD.held AND NOT NEW.held AND NEW.status = 'issued')
  EXECUTE FUNCTION pki_refuse_unproven_release();
"""
UNDO = """
DROP TRIGGER pki_certificate_hold_ends_by_a_proof ON pki_certificate;
DROP FUNCTION pki_refuse_unproven_release();
"""


class Migration(migrations.Migration):
    """Rows are never changed: the outcome of a request is the certificate's row."""

    dependencies = [("pki", "0028_client_names")]

    operations = [
        migrations.CreateModel(
            name="HoldRelease",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("requested_at", models.DateTimeField()),
                ("actor_ref", models.CharField(max_length=200)),
                (
                    "certificate",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hold_releases",
                        to="pki.certificate",
                    ),
                ),
                (
                    "delivery",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="pki.secretdelivery",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["requested_at"], name="pki_hold_release_requested")],
                "constraints": [
                    models.UniqueConstraint(fields=("certificate", "delivery"), name="pki_hold_release_once")
                ],
            },
        ),
        migrations.RunSQL(GUARD, UNDO),
        *append_only("pki_holdrelease"),
    ]
