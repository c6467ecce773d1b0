"""Articles, the organisations that may order them, and the subscription fee of an organisation (rules/issuance 7.7)."""

from django.db import models

from issuance.organisations.models import Organisation
from issuance.records.models.versioned import Versioned


class SubscriptionFee(models.Model):
    """The subscription fee (abonnemangsavgift) of an organisation from a moment on.

    The newest row at or before a moment applies.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="subscription_fees")
    charged = models.BooleanField()
    valid_from = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "valid_from"], name="issuance_fee_one_at_a_time")]


class Article(Versioned):
    """A product that can be ordered. `code` is the number, with `-REK` for the registered-mail variant; `name` is without REK.

    `generation` is the supplier's name of the product generation (produktgeneration). `valid_from` and `valid_to` are both
    inclusive.
    """

    subject = "article"

    code = models.CharField(max_length=12, primary_key=True)
    number = models.CharField(max_length=8)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20)
    orientation = models.CharField(max_length=10)
    photo = models.BooleanField()
    registered_mail = models.BooleanField(default=False)
    assurance_level = models.PositiveSmallIntegerField(default=3)
    generation = models.CharField(max_length=20, default="", db_default="")
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["ordinary", "student", "company", "reserve", "test"]), name="issuance_article_kind"
            ),
            models.CheckConstraint(
                condition=models.Q(orientation__in=["portrait", "landscape"]), name="issuance_article_orientation"
            ),
            models.CheckConstraint(condition=models.Q(assurance_level__in=[2, 3]), name="issuance_article_level"),
        ]

    @property
    def title(self) -> str:
        """The name that distinguishes variants: with REK for registered mail."""
        return f"{self.name} REK" if self.registered_mail else self.name


class OrganisationArticle(models.Model):
    """An article for an organisation. `orderable` is the issuer's choice (Beställningsbar)."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="articles")
    article = models.ForeignKey(Article, on_delete=models.PROTECT, related_name="+")
    orderable = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "article"], name="issuance_article_offered_once")]
