import django.db.models.deletion
from django.db import migrations, models

from siths_portal.lib.events import append_only


class Migration(migrations.Migration):

    dependencies = [
        ('pki', '0007_key_inventory'),
    ]

    operations = [
        migrations.CreateModel(
            name='ClientPermission',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('client_ref', models.CharField(max_length=63)),
                ('ca', models.CharField(max_length=40)),
                ('profile', models.CharField(max_length=40)),
                ('may_issue', models.BooleanField(default=False)),
                ('may_revoke', models.BooleanField(default=False)),
                ('may_read', models.BooleanField(default=False)),
                ('changed_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('client_ref', 'ca', 'profile'), name='pki_client_permission'), models.CheckConstraint(condition=models.Q(('may_issue', True), ('may_revoke', True), ('may_read', True), _connector='OR'), name='pki_client_permission_some')],
            },
        ),
        migrations.AddIndex(
            model_name='certificate',
            index=models.Index(condition=models.Q(('issued_at__isnull', False)), fields=['issued_at', 'id'], name='pki_cert_issued'),
        ),
        migrations.CreateModel(
            name='ClientOrder',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('client_ref', models.CharField(max_length=63)),
                ('key', models.CharField(max_length=255)),
                ('request_sha256', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField()),
                ('certificate', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='pki.certificate')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('client_ref', 'key'), name='pki_client_order_key')],
            },
        ),
        *append_only("pki_clientorder"),
    ]
