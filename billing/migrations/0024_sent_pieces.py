"""Entries of reserve cards, letters and cards that were made again, which cost nothing and say why."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0023_subscription_evidence'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='ledgerentry',
            name='billing_ledger_office_by_kind',
        ),
        migrations.AddField(
            model_name='unpricedfact',
            name='reason',
            field=models.CharField(blank=True, db_default='', default='', max_length=500),
        ),
        migrations.AlterField(
            model_name='ledgerentry',
            name='reason',
            field=models.CharField(blank=True, db_default='', default='', max_length=500),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind__in', ['reproduction']), _negated=True), models.Q(('unit_price', 0), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='billing_ledger_free'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(models.Q(('kind', 'card'), _negated=True), ('office_id__isnull', False), _connector='OR'), models.Q(models.Q(('kind', 'reserve_card'), _negated=True), ('office_id__isnull', False), _connector='OR'), models.Q(models.Q(('kind', 'puk_letter'), _negated=True), ('office_id__isnull', False), _connector='OR'), models.Q(models.Q(('kind', 'reproduction'), _negated=True), ('office_id__isnull', False), _connector='OR'), models.Q(models.Q(('kind', 'subscription'), _negated=True), ('office_id__isnull', True), _connector='OR')), name='billing_ledger_office_by_kind'),
        ),
    ]
