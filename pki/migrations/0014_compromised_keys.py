from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('pki', '0013_issuance_sets_and_rsa_keys'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='certificate',
            index=models.Index(condition=models.Q(('reason__in', ['keyCompromise', 'cACompromise']), ('status', 'revoked')), fields=['spki_sha256'], name='pki_cert_compromised'),
        ),
    ]
