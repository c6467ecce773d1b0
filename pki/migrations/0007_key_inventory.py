import siths_portal.lib.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("pki", "0006_approvals"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeyInventory",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField()),
                ("tokens", models.JSONField(default=list)),
                ("problems", models.JSONField(default=list)),
            ],
            options={
                "indexes": [models.Index(fields=["-started_at"], name="pki_inventory_newest")],
            },
        ),
        migrations.AddField(
            model_name="hsmkey",
            name="ceremony_sha256",
            field=models.CharField(default="", max_length=64),
        ),
        migrations.AddField(
            model_name="hsmkey",
            name="checked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="hsmkey",
            name="finding",
            field=models.CharField(
                choices=[("as-recorded", "As Recorded"), ("missing", "Missing"), ("drifted", "Drifted")],
                default="",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="hsmkey",
            name="finding_facts",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="hsmkey",
            name="provenance",
            field=models.CharField(
                choices=[("generated", "Generated"), ("imported", "Imported")], default="generated", max_length=10
            ),
        ),
        migrations.AddField(
            model_name="hsmkey",
            name="seals",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="hsmkey",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("ca", "Ca"),
                    ("ocsp", "Ocsp"),
                    ("kek", "Kek"),
                    ("secret-derive", "Secret Derive"),
                    ("audit-mac", "Audit"),
                    ("health", "Health"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="hsmkey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("provenance", "generated"),
                    models.Q(("ceremony_sha256__regex", "^[0-9a-f]{64}$"), ("provenance", "imported")),
                    _connector="OR",
                ),
                name="pki_hsmkey_provenance",
            ),
        ),
        migrations.AddConstraint(
            model_name="hsmkey",
            constraint=models.CheckConstraint(
                condition=models.Q(("finding__in", ["", "as-recorded", "missing", "drifted"])), name="pki_hsmkey_finding"
            ),
        ),
    ]
