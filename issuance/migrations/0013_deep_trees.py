"""Room for trees that are many levels deep."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issuance", "0012_qualifications")]

    operations = [
        migrations.AlterField(model, "scope_path", models.CharField(max_length=1000, unique=True))
        for model in ("issuingarea", "organisation")
    ]
