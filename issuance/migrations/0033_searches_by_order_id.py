"""Searches for an order id find its person."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Allows one more kind of search."""

    dependencies = [("issuance", "0032_identification_withdrawals")]

    operations = [
        migrations.RemoveConstraint(model_name="search", name="issuance_search_kind"),
        migrations.AddConstraint(
            model_name="search",
            constraint=models.CheckConstraint(
                condition=models.Q(kind__in=("person_id", "hsa_id", "card_serial", "order_id", "name")),
                name="issuance_search_kind",
            ),
        ),
    ]
