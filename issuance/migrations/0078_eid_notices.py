"""Notices by e-mail about eIDs, and a further state of reminders."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import siths_portal.lib.ids
from siths_portal.lib.events import kept

_STATES = [
    ("waiting", "Väntar på att skickas"),
    ("sent", "Skickad"),
    ("refused", "Avvisad av e-postservern"),
    ("not-needed", "Behövdes inte längre"),
    ("unreached", "Innehavaren får ingen e-post"),
]
_ABOUT = [
    ("new", "Nytt SITHS eID"),
    ("ending", "SITHS eID som snart slutar gälla"),
    ("unlocked", "Upplåst kort"),
]


class Migration(migrations.Migration):
    """Known eIDs get no notice that they are new."""

    dependencies = [("issuance", "0077_own_reserve_cards")]

    operations = [
        migrations.AlterField("cardreminder", "state", models.CharField(choices=_STATES, default="waiting", max_length=10)),
        migrations.CreateModel(
            name="EidNotice",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("about", models.CharField(choices=_ABOUT, max_length=10)),
                ("days", models.PositiveSmallIntegerField(null=True)),
                ("queued_at", models.DateTimeField()),
                ("state", models.CharField(choices=_STATES, default="waiting", max_length=10)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "carrier",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="notices", to="issuance.carrier"),
                ),
                (
                    "eid",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="notices", to="issuance.eid"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["next_at"], condition=Q(("next_at__isnull", False)), name="issuance_eid_notice_due"),
                    models.Index(
                        fields=["carrier"],
                        condition=Q(("state__in", ["refused", "unreached"])),
                        name="issuance_eid_notice_untold",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(("about", "unlocked"), _negated=True),
                        fields=("carrier", "eid", "about", "days"),
                        name="issuance_eid_notice_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=Q(
                            Q(("about", "ending"), ("days__isnull", False), ("eid__isnull", False)),
                            Q(Q(("about", "ending"), _negated=True), ("days", None)),
                            _connector="OR",
                        ),
                        name="issuance_eid_notice_days",
                    ),
                    models.CheckConstraint(
                        condition=Q(
                            Q(("next_at__isnull", False), ("settled_at", None), ("state", "waiting")),
                            Q(Q(("state", "waiting"), _negated=True), ("next_at", None), ("settled_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="issuance_eid_notice_settled",
                    ),
                ],
            },
        ),
        *kept("issuance_eidnotice"),
    ]
