"""When an organisation was ended (ADR 0222)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issuance", "0024_role_holders_read")]

    operations = [migrations.AddField("organisation", "closed_at", models.DateTimeField(null=True))]
