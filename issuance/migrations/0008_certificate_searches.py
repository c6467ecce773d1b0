"""Operators' searches for certificates."""

from django.db import migrations, models

import siths_portal.lib.ids


class Migration(migrations.Migration):
    dependencies = [("issuance", "0007_audit_macs")]

    operations = [
        migrations.CreateModel(
            name="CertificateSearch",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("owner_ref", models.CharField(max_length=200)),
                ("session_id", models.UUIDField()),
                ("form", models.JSONField()),
                ("criteria", models.JSONField()),
                ("created_at", models.DateTimeField()),
            ],
            options={"indexes": [models.Index(fields=["created_at"], name="issuance_certsearch_age")]},
        ),
    ]
