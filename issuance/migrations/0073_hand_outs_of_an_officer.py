"""An index for the reserve cards that an officer handed out today."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the index."""

    dependencies = [("issuance", "0072_orders_by_day")]

    operations = [
        migrations.AddIndex(
            "reservecardissue",
            models.Index(fields=["officer_ref", "created_at"], name="issuance_reserve_issue_officer"),
        ),
    ]
