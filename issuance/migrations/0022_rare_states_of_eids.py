"""An index for the holders whose eIDs are in a state that few are in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issuance", "0021_orders_of_offices")]

    operations = [
        migrations.AddIndex(
            "eid",
            models.Index(
                fields=["organisation", "state"],
                condition=models.Q(state__in=["ordered", "revoked", "cancelled"]),
                name="issuance_eid_rare_state",
            ),
        ),
    ]
