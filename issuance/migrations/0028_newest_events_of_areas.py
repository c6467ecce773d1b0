"""Events by the organisation or the grant that they name also by age, for the newest of all in an area (ADR 0212)."""

from django.db import migrations, models
from django.db.models.fields.json import KeyTransform


class Migration(migrations.Migration):
    dependencies = [("issuance", "0027_former_places")]

    operations = [
        migrations.RemoveIndex("event", "issuance_event_organisation"),
        migrations.AddIndex(
            "event",
            models.Index(
                KeyTransform("organisation", "facts"),
                "id",
                name="issuance_event_organisation",
                condition=models.Q(subject_type__in=("office", "customisation")),
            ),
        ),
        migrations.RemoveIndex("event", "issuance_event_grant"),
        migrations.AddIndex(
            "event",
            models.Index(
                KeyTransform("grant", "facts"),
                "id",
                name="issuance_event_grant",
                condition=models.Q(action__in=("role.assigned", "role.changed", "role.ended")),
            ),
        ),
    ]
