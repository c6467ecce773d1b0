"""PUK letters: the card whose PUK a letter carries, and the delivery of that PUK."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """No letter could be ordered before."""

    dependencies = [("issuance", "0054_supplier_push")]

    operations = [
        migrations.AddField(
            "orderitem",
            "puk_of",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="letters", to="issuance.carrier"
            ),
        ),
        migrations.AddField("orderitem", "puk_delivery_id", models.UUIDField(null=True)),
        migrations.AddConstraint(
            "orderitem",
            models.CheckConstraint(
                condition=models.Q(("puk_of", None), ("kind__in", ["letter"]), _connector="XOR"), name="issuance_item_puk_of"
            ),
        ),
    ]
