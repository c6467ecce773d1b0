"""Refused signatures are counted apart from refused proofs (ADR 0090)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the counter."""

    dependencies = [("issuance", "0041_orders_by_customisation")]

    operations = [
        migrations.AddField(
            model_name="eidapptransaction", name="wrong_signatures", field=models.PositiveSmallIntegerField(default=0)
        ),
    ]
