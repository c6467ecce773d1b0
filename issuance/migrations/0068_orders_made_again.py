"""When the making of an order last began again. Orders of before have no value, and count from their first day."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Orders stay as they are."""

    dependencies = [("issuance", "0067_carriers_on_devices")]

    operations = [migrations.AddField("cardorder", "restarted_at", models.DateTimeField(null=True))]
