from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("pki", "0014_compromised_keys"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="secret",
            index=models.Index(condition=models.Q(("state", "sealed")), fields=["kek_id", "id"], name="pki_secret_sealed"),
        ),
    ]
