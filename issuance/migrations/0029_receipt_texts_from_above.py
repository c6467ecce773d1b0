"""Versions of receipt texts by which an organisation has the text from above again (ADR 0184)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds `from_above`, false for what is there."""

    dependencies = [("issuance", "0028_newest_events_of_areas")]

    operations = [
        migrations.AddField(
            model_name="receipttext",
            name="from_above",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
