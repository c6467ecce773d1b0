"""Requests of cards for certificates that the worker refused."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pki", "0032_revocations_draw_their_versions")]

    operations = [
        migrations.CreateModel(
            name="RefusedRequest",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("reason", models.CharField(max_length=80)),
                ("at", models.DateTimeField()),
            ],
        ),
    ]
