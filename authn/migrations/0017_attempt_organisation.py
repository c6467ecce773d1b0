"""The organisation of a logged-in person who begins a log-in, for its rate limit."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("authn", "0016_session_means")]

    operations = [
        migrations.AddField(
            model_name="loginattempt",
            name="organisation",
            field=models.CharField(db_default="", default="", max_length=20),
        ),
        migrations.AddIndex(
            model_name="loginattempt",
            index=models.Index(
                fields=["organisation", "started_at"],
                condition=~models.Q(organisation=""),
                name="authn_attempt_organisation",
            ),
        ),
    ]
