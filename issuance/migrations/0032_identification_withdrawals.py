"""Withdrawals of identifications (docs/adr/0091). Rows are never changed or deleted."""

import django.db.models.deletion
from django.db import migrations, models

from siths_portal.lib.events import append_only


class Migration(migrations.Migration):
    """Creates the table."""

    dependencies = [("issuance", "0031_puks_of_orders")]

    operations = [
        migrations.CreateModel(
            name="IdentificationWithdrawal",
            fields=[
                (
                    "identification",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="withdrawal",
                        serialize=False,
                        to="issuance.identification",
                    ),
                ),
                ("officer_ref", models.CharField(max_length=200)),
                ("reason", models.CharField(max_length=300)),
                ("at", models.DateTimeField()),
            ],
        ),
        *append_only("issuance_identificationwithdrawal"),
    ]
