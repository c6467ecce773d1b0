"""Indexes by which a mass revocation's certificates are found: by profile, client and unit, and by when they were planned."""

import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("pki", "0019_crl_scopes"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(fields=["profile_version", "client_ref", "unit_ref"], name="pki_cert_origin"),
        ),
        migrations.AddIndex(
            model_name="certificate",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True,
                fields=["created_at"],
                name="pki_cert_created",
                opclasses=["timestamptz_minmax_multi_ops"],
            ),
        ),
    ]
