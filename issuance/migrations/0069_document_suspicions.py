"""Suspected false documents, and what became of them. Rows are never changed or deleted."""

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids
from siths_portal.lib.events import append_only

_PROTECT = django.db.models.deletion.PROTECT


class Migration(migrations.Migration):
    """Creates the two tables."""

    dependencies = [("issuance", "0068_orders_made_again")]

    operations = [
        migrations.CreateModel(
            name="DocumentSuspicion",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("officer_ref", models.CharField(max_length=200)),
                ("identity_document", models.CharField(max_length=20)),
                ("observed", models.CharField(max_length=500)),
                ("at", models.DateTimeField()),
                (
                    "carrier",
                    models.ForeignKey(on_delete=_PROTECT, related_name="document_suspicions", to="issuance.carrier"),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DocumentJudgement",
            fields=[
                (
                    "suspicion",
                    models.OneToOneField(
                        on_delete=_PROTECT,
                        primary_key=True,
                        related_name="judgement",
                        serialize=False,
                        to="issuance.documentsuspicion",
                    ),
                ),
                ("officer_ref", models.CharField(max_length=200)),
                ("is_false", models.BooleanField()),
                ("reason", models.CharField(max_length=500)),
                ("at", models.DateTimeField()),
            ],
        ),
        *append_only("issuance_documentsuspicion"),
        *append_only("issuance_documentjudgement"),
    ]
