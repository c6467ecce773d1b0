"""Scopes of CRLs with leases, shards, last lists, and an index that a list is made from."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Right

SHARDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# The lists that are out become the newest of their scopes.
SCOPES = """
INSERT INTO pki_crlscope (ca_id, newest_id, number, failures)
SELECT DISTINCT ON (ca_id) ca_id, id, number, 0 FROM pki_crl ORDER BY ca_id, number DESC
"""


class Migration(migrations.Migration):
    """Scopes begin with the lists that are out."""

    dependencies = [
        ("pki", "0018_what_was_decided_stays"),
    ]

    operations = [
        migrations.AddField(
            model_name="certificateauthority",
            name="crl_shards",
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddConstraint(
            model_name="certificateauthority",
            constraint=models.CheckConstraint(condition=models.Q(("crl_shards__in", SHARDS)), name="pki_ca_crl_shards"),
        ),
        migrations.AddField(
            model_name="crl",
            name="shard",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="crl",
            name="next_update",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="CrlScope",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("shard", models.PositiveSmallIntegerField(null=True)),
                ("number", models.BigIntegerField(default=0)),
                ("lease", models.UUIDField(null=True)),
                ("leased_until", models.DateTimeField(null=True)),
                ("failures", models.PositiveSmallIntegerField(default=0)),
                ("retry_at", models.DateTimeField(null=True)),
                (
                    "ca",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="crl_scopes",
                        to="pki.certificateauthority",
                    ),
                ),
                (
                    "newest",
                    models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="pki.crl"),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("ca", "shard"), name="pki_crl_scope", nulls_distinct=False),
                ],
            },
        ),
        migrations.RunSQL(SCOPES, migrations.RunSQL.noop),
        migrations.RemoveIndex(model_name="certificate", name="pki_cert_revoked"),
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(
                models.F("ca"),
                Right("serial", 2),
                models.F("serial"),
                condition=models.Q(("status", "revoked")),
                include=("revoked_at", "reason", "invalidity_date", "not_after", "status_version"),
                name="pki_cert_listed",
            ),
        ),
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(
                condition=models.Q(("status", "revoked")), fields=["ca", "status_version"], name="pki_cert_changed"
            ),
        ),
    ]
