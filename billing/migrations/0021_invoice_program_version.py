"""The version of the program that made a document."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0020_retention")]

    operations = [
        migrations.AddField("invoice", "program_version", models.CharField(db_default="", default="", max_length=40)),
    ]
