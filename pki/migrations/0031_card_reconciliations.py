"""Comparisons of issued certificates on cards with orders and receipts (ADR 0310)."""

from django.db import migrations, models

import siths_portal.lib.ids


class Migration(migrations.Migration):
    """One row for each walk over all of them."""

    dependencies = [("pki", "0030_database_roles")]

    operations = [
        migrations.CreateModel(
            name="CardReconciliation",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("position", models.UUIDField(null=True)),
                ("compared", models.BigIntegerField(default=0)),
                ("found", models.BigIntegerField(default=0)),
                ("examples", models.JSONField(default=list)),
            ],
            options={"indexes": [models.Index(fields=["-started_at"], name="pki_reconciliation_newest")]},
        ),
    ]
