"""Files of cards from an earlier portal."""

from django.db import migrations, models

import siths_portal.lib.ids


class Migration(migrations.Migration):
    """Adds a table; no row changes."""

    dependencies = [("issuance", "0064_attestations")]

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
    ]
