"""When a role holder's posts were last read from the catalogue (ADR 0036)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issuance", "0023_events_of_roles")]

    operations = [migrations.AddField("person", "catalogue_read_at", models.DateTimeField(null=True))]
