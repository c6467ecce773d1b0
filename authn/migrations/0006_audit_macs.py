from django.db import migrations, models

from siths_portal.lib.events import append_only


class Migration(migrations.Migration):
    dependencies = [
        ("authn", "0005_open_attempts"),
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
        *append_only("authn_eventmacs"),
    ]
