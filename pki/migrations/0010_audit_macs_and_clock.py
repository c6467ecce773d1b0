from django.db import migrations, models

from siths_portal.lib.events import append_only


class Migration(migrations.Migration):
    dependencies = [
        ("pki", "0009_revocation_records"),
    ]

    operations = [
        migrations.CreateModel(
            name="EventMacs",
            fields=[
                ("first", models.BigIntegerField(primary_key=True, serialize=False)),
                ("last", models.BigIntegerField()),
                ("key_id", models.CharField(max_length=40)),
                ("macs", models.BinaryField()),
            ],
            options={
                "abstract": False,
            },
        ),
        *append_only("pki_eventmacs"),
        migrations.CreateModel(
            name="ClockMark",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("produced_at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(id=1), name="pki_clockmark_one")],
            },
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
                    ("audit-head", "Audit Head"),
                    ("health", "Health"),
                ],
                max_length=20,
            ),
        ),
    ]
