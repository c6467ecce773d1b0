"""The validations of stored receipts."""

from django.db import migrations, models

from siths_portal.lib.events import kept
from siths_portal.lib.ids import new_id


class Migration(migrations.Migration):
    """Creates the table. Its rows are kept, since they prove that the receipts were valid."""

    dependencies = [("issuance", "0080_delivery_times")]

    operations = [
        migrations.CreateModel(
            name="ReceiptValidation",
            fields=[
                ("id", models.UUIDField(default=new_id, editable=False, primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("position", models.UUIDField(null=True)),
                ("checked", models.BigIntegerField(default=0)),
                ("wrong", models.BigIntegerField(default=0)),
                ("examples", models.JSONField(default=list)),
            ],
            options={"indexes": [models.Index(fields=["-started_at"], name="issuance_validation_newest")]},
        ),
        *kept("issuance_receiptvalidation"),
    ]
