"""The roots of a supplier's attestations of card keys, and whether each card needs one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the column."""

    dependencies = [("authn", "0010_bound_sessions")]

    operations = [
        migrations.AddField(
            model_name="serviceclient",
            name="key_attestation",
            field=models.JSONField(default=dict),
        ),
    ]
