"""Indexes for pages of an organisation's holders, by HSA-id and by the last day of those that end."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issuance", "0014_events_of_organisations")]

    operations = [
        migrations.AddIndex("eid", models.Index(fields=["organisation", "hsa_id", "id"], name="issuance_eid_page")),
        migrations.AddIndex(
            "eid",
            models.Index(
                fields=["organisation", "valid_to", "id"],
                condition=models.Q(state="active"),
                name="issuance_eid_ending_page",
            ),
        ),
    ]
