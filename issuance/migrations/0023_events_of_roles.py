"""Events of roles by the grant that they name, for the history of its place."""

from django.db import migrations, models
from django.db.models.fields.json import KeyTransform


class Migration(migrations.Migration):
    dependencies = [("issuance", "0022_rare_states_of_eids")]

    operations = [
        migrations.AddIndex(
            "event",
            models.Index(
                KeyTransform("grant", "facts"),
                name="issuance_event_grant",
                condition=models.Q(action__in=("role.assigned", "role.changed", "role.ended")),
            ),
        ),
    ]
