from django.db import migrations, models

from siths_portal.lib.events import append_only


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="EventMacs",
            fields=[
                ("first", models.BigIntegerField(primary_key=True, serialize=False)),
                ("last", models.BigIntegerField()),
                ("key_id", models.CharField(max_length=40)),
                ("macs", models.BinaryField()),
            ],
            options={
                "abstract": False,
            },
        ),
        *append_only("billing_eventmacs"),
    ]
