"""The index by which a log-in finds its browser's other attempts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("authn", "0004_log_in_attempts"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="loginattempt",
            index=models.Index(condition=models.Q(("used_at", None)), fields=["session_id"], name="authn_open_attempt"),
        ),
    ]
