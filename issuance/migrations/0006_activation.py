"""Identification, eID app transactions, and what a receipt says beside its PDF."""

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids
from siths_portal.lib.events import append_only

FINAL = """
CREATE TRIGGER issuance_transaction_final BEFORE UPDATE OF state ON issuance_eidapptransaction FOR EACH ROW
  WHEN (OLD.state IN ('completed', 'cancelled', 'expired', 'failed', 'superseded') AND NEW.state IS DISTINCT FROM OLD.state)
  EXECUTE FUNCTION issuance_refuse_revival();
"""
FINAL_REVERSE = "DROP TRIGGER issuance_transaction_final ON issuance_eidapptransaction;"
OPEN = ["created", "started", "code_set"]
ENDED = ["completed", "cancelled", "expired", "failed", "superseded"]


class Migration(migrations.Migration):
    dependencies = [("issuance", "0005_drafts_and_photos")]

    operations = [
        migrations.CreateModel(
            name="Identification",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("officer_ref", models.CharField(max_length=200)),
                ("identity_document", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                (
                    "carrier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="identifications", to="issuance.carrier"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="EidAppTransaction",
            fields=[
                ("state", models.CharField(max_length=20)),
                ("seq", models.PositiveIntegerField(default=0)),
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=10)),
                ("officer_ref", models.CharField(max_length=200)),
                ("origin", models.CharField(max_length=200)),
                ("handle_sha256", models.CharField(max_length=64, unique=True)),
                ("terms_sha256", models.CharField(max_length=64)),
                ("content_sha256", models.CharField(max_length=64)),
                ("ephemeral_key", models.JSONField(null=True)),
                ("delivery_id", models.UUIDField(null=True)),
                ("step_token_sha256", models.CharField(default="", max_length=64)),
                ("signature_sha256", models.CharField(default="", max_length=64)),
                ("wrong_proofs", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("code_set_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "carrier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="transactions", to="issuance.carrier"
                    ),
                ),
                (
                    "identification",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="transactions", to="issuance.identification"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PreparedReceipt",
            fields=[
                (
                    "transaction",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="prepared_receipt",
                        serialize=False,
                        to="issuance.eidapptransaction",
                    ),
                ),
                ("pdf", models.BinaryField()),
                ("byte_range", models.JSONField()),
                ("signed_attributes", models.BinaryField()),
                ("document_digest", models.BinaryField()),
                ("content", models.JSONField()),
                ("signature_certificate_id", models.UUIDField()),
                (
                    "receipt_text",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="issuance.receipttext"
                    ),
                ),
            ],
        ),
        migrations.AddField(model_name="receipt", name="content", field=models.JSONField(default=None), preserve_default=False),
        migrations.AddField(
            model_name="receipt",
            name="content_sha256",
            field=models.CharField(default=None, max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="receipt",
            name="terms",
            field=models.ForeignKey(
                db_column="terms_sha256",
                default=None,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="issuance.document",
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="identification",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    identity_document__in=("driving_licence", "passport", "tax_agency_id", "sis_id", "national_id")
                ),
                name="issuance_identification_document",
            ),
        ),
        migrations.AddConstraint(
            model_name="eidapptransaction",
            constraint=models.CheckConstraint(condition=models.Q(state__in=[*OPEN, *ENDED]), name="issuance_transaction_state"),
        ),
        migrations.AddConstraint(
            model_name="eidapptransaction",
            constraint=models.CheckConstraint(
                condition=models.Q(kind__in=["activate", "sign"]), name="issuance_transaction_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="eidapptransaction",
            constraint=models.UniqueConstraint(
                condition=models.Q(state__in=OPEN), fields=("carrier",), name="issuance_one_open_transaction"
            ),
        ),
        migrations.AddConstraint(
            model_name="eidapptransaction",
            constraint=models.UniqueConstraint(
                condition=~models.Q(step_token_sha256=""), fields=("step_token_sha256",), name="issuance_step_token_once"
            ),
        ),
        migrations.AddIndex(
            model_name="eidapptransaction",
            index=models.Index(condition=models.Q(state__in=OPEN), fields=["expires_at", "id"], name="issuance_transaction_open"),
        ),
        migrations.RunSQL(FINAL, FINAL_REVERSE),
        *append_only("issuance_identification"),
    ]
