"""Operators' trial counts of mass revocations."""

from django.db import migrations, models

import siths_portal.lib.ids


class Migration(migrations.Migration):
    dependencies = [("issuance", "0008_certificate_searches")]

    operations = [
        migrations.CreateModel(
            name="MassTrial",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("owner_ref", models.CharField(max_length=200)),
                ("session_id", models.UUIDField()),
                ("selection", models.JSONField()),
                ("as_of", models.DateTimeField()),
                ("counted", models.JSONField()),
                ("members_sha256", models.CharField(max_length=64)),
                ("mass_revocation_id", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={"indexes": [models.Index(fields=["created_at"], name="issuance_masstrial_age")]},
        ),
    ]
