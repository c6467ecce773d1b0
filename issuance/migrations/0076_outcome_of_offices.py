"""The outcome of a day also by office."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Days that are counted already have no offices."""

    dependencies = [("issuance", "0075_own_unlockings")]

    operations = [migrations.AddField("dailyoutcome", "offices", models.JSONField(null=True))]
