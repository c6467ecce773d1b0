"""Names of areas, organisations and offices are ordered the Swedish way."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issuance", "0010_versions")]

    operations = [
        migrations.AlterField(
            "issuingarea", "name", models.CharField(db_collation="sv-x-icu", max_length=100, unique=True)
        ),
        *(
            migrations.AlterField(model, "name", models.CharField(db_collation="sv-x-icu", max_length=100))
            for model in ("office", "organisation")
        ),
    ]
