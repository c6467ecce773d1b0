"""What a session's person logged in with."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("authn", "0015_log_in_tickets")]

    operations = [
        migrations.AddField(
            model_name="session",
            name="means",
            field=models.CharField(db_default="", default="", max_length=20),
        ),
    ]
