"""Events of offices and card customisations by the organisation that they name, for its history."""

from django.db import migrations, models
from django.db.models.fields.json import KeyTransform


class Migration(migrations.Migration):
    dependencies = [("issuance", "0013_deep_trees")]

    operations = [
        migrations.AddIndex(
            "event",
            models.Index(
                KeyTransform("organisation", "facts"),
                name="issuance_event_organisation",
                condition=models.Q(subject_type__in=("office", "customisation")),
            ),
        ),
    ]
