"""Searches by MIFARE-id: their kind, and the index of cards."""

from django.db import migrations, models
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    """Allows one more kind of search."""

    dependencies = [("issuance", "0065_carrier_imports")]

    operations = [
        migrations.RemoveConstraint(model_name="search", name="issuance_search_kind"),
        migrations.AddConstraint(
            model_name="search",
            constraint=models.CheckConstraint(
                condition=models.Q(kind__in=("person_id", "hsa_id", "card_serial", "mifare_id", "order_id", "name")),
                name="issuance_search_kind",
            ),
        ),
        migrations.AddIndex(
            model_name="carrier",
            index=models.Index(
                Upper("mifare_id"), condition=models.Q(("mifare_id", ""), _negated=True), name="issuance_carrier_mifare"
            ),
        ),
    ]
