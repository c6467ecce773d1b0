"""Further ways to identify a holder: foreign documents, and attestations by another person."""

import django.db.models.deletion
from django.db import migrations, models

from siths_portal.lib.events import append_only

_FULL = ("driving_licence", "passport", "tax_agency_id", "sis_id", "national_id")
_ALL = (*_FULL, "foreign_passport", "foreign_id_card", "attestation")


def _documents(model: str, name: str) -> list[migrations.operations.base.Operation]:
    """Returns the operations that let the documents of a model be all of today's."""
    allowed = models.CheckConstraint(condition=models.Q(("identity_document__in", _ALL)), name=name)
    return [migrations.RemoveConstraint(model, name), migrations.AddConstraint(model, allowed)]


class Migration(migrations.Migration):
    """Receipts and identifications so far name full documents."""

    dependencies = [("issuance", "0063_replacements")]

    operations = [
        *_documents("receipt", "issuance_receipt_identity"),
        *_documents("identification", "issuance_identification_document"),
        migrations.CreateModel(
            name="Attestation",
            fields=[
                (
                    "identification",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="attestation",
                        serialize=False,
                        to="issuance.identification",
                    ),
                ),
                ("attestor_name", models.CharField(max_length=200)),
                ("attestor_number", models.CharField(max_length=12)),
                ("relation", models.CharField(max_length=10)),
                ("attestor_document", models.CharField(max_length=20)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("attestor_document__in", _FULL)), name="issuance_attestation_document"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("relation__in", ["employer", "superior", "guardian"])),
                        name="issuance_attestation_relation",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("attestor_number__regex", "^\\d{12}$")), name="issuance_attestation_number"
                    ),
                ],
            },
        ),
        *append_only("issuance_attestation"),
    ]
