"""The site and the identity provider where a log-in was begun."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the columns."""

    dependencies = [("authn", "0013_letter_certificate")]

    operations = [
        migrations.AddField("loginattempt", "face", models.CharField(db_default="", default="", max_length=20)),
        migrations.AddField("loginattempt", "issuer", models.CharField(db_default="", default="", max_length=255)),
    ]
