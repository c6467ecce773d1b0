from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0005_seriescorrection"),
    ]

    operations = [
        migrations.AddField(
            model_name="invoice",
            name="gate_version",
            field=models.CharField(default="", max_length=100),
        ),
    ]
