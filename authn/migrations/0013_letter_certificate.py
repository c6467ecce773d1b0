"""The certificate that a supplier's PUK letters are encrypted to."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the column."""

    dependencies = [("authn", "0012_push")]

    operations = [
        migrations.AddField("serviceclient", "letter_certificate", models.CharField(default="", max_length=64)),
    ]
