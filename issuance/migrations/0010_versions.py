"""A version on what people edit, so that the second of two is told (ADR 0180), and the card customisation that is nobody's own."""

from django.db import migrations, models


def _version(model: str) -> migrations.AddField:
    return migrations.AddField(model, "version", models.PositiveIntegerField(db_default=1, default=1))


class Migration(migrations.Migration):
    dependencies = [("issuance", "0009_mass_trials")]

    operations = [
        *(_version(model) for model in ("article", "cardcustomisation", "issuingarea", "office", "organisation")),
        migrations.AddField("cardcustomisation", "generic", models.BooleanField(db_default=False, default=False)),
        migrations.AddConstraint(
            "cardcustomisation",
            models.UniqueConstraint(
                fields=["generic"], condition=models.Q(generic=True), name="issuance_customisation_one_generic"
            ),
        ),
    ]
