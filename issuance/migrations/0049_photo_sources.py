"""The picture that an uploaded photo was cut from, and the part of it, until the photo is approved."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("issuance", "0048_last_own_orders"),
    ]

    operations = [
        migrations.AddField(model_name="photo", name="source", field=models.BinaryField(null=True)),
        migrations.AddField(model_name="photo", name="framing", field=models.JSONField(null=True)),
        migrations.AddConstraint(
            model_name="photo",
            constraint=models.CheckConstraint(
                condition=models.Q(("framing", None), ("source", None)) | models.Q(("approved_at", None)),
                name="issuance_photo_source_until_approved",
            ),
        ),
    ]
