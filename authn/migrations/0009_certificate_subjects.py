"""What the subjects of certificates that a service orders may say (ADR 0138). Services order nothing until it is registered."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the column."""

    dependencies = [("authn", "0008_kept_forms")]

    operations = [
        migrations.AddField(
            model_name="serviceclient",
            name="certificate_subject",
            field=models.JSONField(default=dict),
        ),
    ]
