"""A person's session is bound to its key by a MAC (ADR 0331). Sessions of today are not: their people log in again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the MAC."""

    dependencies = [("authn", "0009_certificate_subjects")]

    operations = [
        migrations.AddField(model_name="session", name="binding", field=models.CharField(default="", max_length=64)),
    ]
