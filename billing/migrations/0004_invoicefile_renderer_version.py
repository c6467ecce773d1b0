from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0003_audit_macs"),
    ]

    operations = [
        migrations.AddField(
            model_name="invoicefile",
            name="renderer_version",
            field=models.CharField(default="", max_length=100),
        ),
    ]
