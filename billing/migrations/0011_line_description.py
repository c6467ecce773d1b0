from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_customer_data")]

    operations = [
        migrations.AddField("invoiceline", "description", models.TextField(db_default="", default="")),
    ]
