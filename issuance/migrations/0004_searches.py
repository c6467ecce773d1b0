from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("issuance", "0003_guards")]

    operations = []
