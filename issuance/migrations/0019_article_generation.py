"""The product generation of an article."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issuance", "0018_setup_imports")]

    operations = [
        migrations.AddField("article", "generation", models.CharField(default="", db_default="", max_length=20)),
    ]
