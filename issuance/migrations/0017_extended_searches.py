"""Extended searches by who made them, for the area's responsible issuer."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issuance", "0016_search_by_name")]

    operations = [
        migrations.AddIndex(
            "event",
            models.Index(
                fields=["actor_ref", "id"], name="issuance_event_extended", condition=models.Q(action="search.extended")
            ),
        ),
    ]
