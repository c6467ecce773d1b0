"""An index for the news of the nightly comparison, built without blocking those who write events."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False  # as CREATE INDEX CONCURRENTLY demands

    dependencies = [("issuance", "0060_register_care")]

    operations = [
        AddIndexConcurrently(
            "event",
            models.Index(fields=["at"], condition=Q(("action", "person.changed")), name="issuance_event_person_news"),
        ),
    ]
