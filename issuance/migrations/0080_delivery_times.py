"""The delivery time of each supplier, counted by night."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Creates the table, which a job fills."""

    dependencies = [("issuance", "0079_mobile_eids")]

    operations = [
        migrations.CreateModel(
            name="DeliveryTime",
            fields=[
                ("supplier_ref", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("working_days", models.PositiveSmallIntegerField()),
                ("cards", models.PositiveIntegerField()),
                ("counted_on", models.DateField()),
            ],
        ),
    ]
