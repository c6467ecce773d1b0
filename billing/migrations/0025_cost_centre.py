"""The cost centre of a customer, for the SIE file."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0024_sent_pieces'),
    ]

    operations = [
        migrations.AddField(
            model_name='billingcustomer',
            name='cost_centre',
            field=models.CharField(blank=True, db_default='', default='', max_length=20),
        ),
    ]
