"""An index for the cards that were ordered in the last days."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the index."""

    dependencies = [("issuance", "0071_daily_outcome")]

    operations = [
        migrations.AddIndex("cardorder", models.Index(fields=["ordered_at"], name="issuance_order_ordered")),
    ]
