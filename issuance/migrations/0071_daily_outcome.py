"""What each day's issuing came to, place by place, counted by night. Old rows are deleted."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """Creates the table, which a job fills."""

    dependencies = [("issuance", "0070_offices_of_migrated_cards")]

    operations = [
        migrations.CreateModel(
            name="DailyOutcome",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.CharField(max_length=13)),
                ("day", models.DateField()),
                ("people", models.PositiveIntegerField(null=True)),
                ("activated", models.PositiveIntegerField(default=0)),
                (
                    "waited",
                    django.contrib.postgres.fields.ArrayField(base_field=models.PositiveIntegerField(), default=list, size=None),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("place", "day"), name="issuance_outcome_once_a_day"),
                ],
            },
        ),
    ]
