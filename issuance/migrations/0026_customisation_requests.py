"""What issuers wish of card customisations (ADR 0189)."""

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids


class Migration(migrations.Migration):
    dependencies = [("issuance", "0025_ended_organisations")]

    operations = [
        migrations.CreateModel(
            name="CustomisationRequest",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("back_text", models.TextField(default="")),
                ("logotype_note", models.TextField(default="")),
                ("created_at", models.DateTimeField()),
                ("created_by_ref", models.CharField(max_length=200)),
                ("answered_at", models.DateTimeField(null=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="customisation_requests",
                        to="issuance.organisation",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("answered_at", None)),
                        fields=("organisation",),
                        name="issuance_customisation_request_once",
                    )
                ],
            },
        ),
    ]
