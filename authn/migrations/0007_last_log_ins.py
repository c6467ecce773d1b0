"""When each subject last logged in."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('authn', '0006_audit_macs'),
    ]

    operations = [
        migrations.CreateModel(
            name='LastLogIn',
            fields=[
                ('subject_ref', models.CharField(max_length=80, primary_key=True, serialize=False)),
                ('hsa_id', models.CharField(max_length=31)),
                ('at', models.DateTimeField()),
            ],
        ),
    ]
