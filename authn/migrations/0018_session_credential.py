"""The card or device that a session's person logged in with."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("authn", "0017_attempt_organisation")]

    operations = [
        migrations.AddField(
            model_name="session",
            name="credential_ref",
            field=models.CharField(db_default="", default="", max_length=80),
        ),
    ]
