"""What the eID app reports from the card reader: the latest report of a transaction, and codes blocked before signing."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('issuance', '0038_kept_rows'),
    ]

    operations = [
        migrations.AddField(
            model_name='carrier',
            name='code_blocked_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='eidapptransaction',
            name='card_report',
            field=models.CharField(default='', max_length=20),
        ),
        migrations.AddField(
            model_name='eidapptransaction',
            name='card_reported_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='eidapptransaction',
            name='card_reports',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='eidapptransaction',
            name='card_tries_left',
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddConstraint(
            model_name='eidapptransaction',
            constraint=models.CheckConstraint(condition=models.Q(('card_report__in', ['', 'wrong-card', 'wrong-code', 'code-blocked', 'wrong-puk', 'puk-blocked', 'code-reset', 'puk-limit'])), name='issuance_transaction_card_report'),
        ),
    ]
