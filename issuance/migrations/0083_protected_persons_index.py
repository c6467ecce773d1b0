"""An index of protected persons, built without blocking those who write persons."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False  # as CREATE INDEX CONCURRENTLY demands

    dependencies = [("issuance", "0082_reminders_of_mobile_eids")]

    operations = [
        AddIndexConcurrently(
            "person",
            models.Index(fields=["id"], condition=Q(("is_protected", True)), name="issuance_person_is_protected"),
        ),
    ]
