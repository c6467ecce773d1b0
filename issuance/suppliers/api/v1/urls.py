"""URLs of the supplier API. They are complete here, because the OpenAPI description is generated from this module."""

from pathlib import Path

from django.urls import path, register_converter
from django.urls.converters import IntConverter, StringConverter

from issuance.suppliers.api.v1 import batch_views, catalogue_views, changes, items, letters, remakes, views
from siths_portal.lib.rest.json_views import description_view


class CustomisationId(StringConverter):
    """Kortanpassnings-id: ten digits."""

    regex = "[0-9]{10}"


class ItemNumber(IntConverter):
    """The number of an item in its order: 1 to 9999."""

    regex = "[1-9][0-9]{0,3}"


register_converter(ItemNumber, "item_number")
register_converter(CustomisationId, "customisation_id")

BASE = "api/supplier/v1/"
urlpatterns = [
    path(f"{BASE}orders", views.Orders.as_view(), name="supplier-orders"),
    path(f"{BASE}orders/<uuid:order_id>", views.Order.as_view(), name="supplier-order"),
    path(f"{BASE}orders/<uuid:order_id>/accept", views.Acceptance.as_view(), name="supplier-accept"),
    path(f"{BASE}orders/<uuid:order_id>/certificates", views.OrderCertificates.as_view(), name="supplier-certificates"),
    path(f"{BASE}orders/<uuid:order_id>/events", views.Reports.as_view(), name="supplier-events"),
    path(f"{BASE}orders/<uuid:order_id>/photo", views.Photo.as_view(), name="supplier-photo"),
    path(f"{BASE}orders/<uuid:order_id>/puk", letters.Puk.as_view(), name="supplier-puk"),
    path(f"{BASE}orders/<uuid:order_id>/items", items.Items.as_view(), name="supplier-items"),
    path(
        f"{BASE}orders/<uuid:order_id>/items/<item_number:item>/certificates",
        items.OneItemCertificates.as_view(),
        name="supplier-item-certificates",
    ),
    path(
        f"{BASE}orders/<uuid:order_id>/items/<item_number:item>/events",
        items.ItemReports.as_view(),
        name="supplier-item-events",
    ),
    path(f"{BASE}orders/<uuid:order_id>/remake", remakes.Remakes.as_view(), name="supplier-remake"),
    path(f"{BASE}changes", changes.Changes.as_view(), name="supplier-changes"),
    path(f"{BASE}batch/accept", batch_views.AcceptBatch.as_view(), name="supplier-batch-accept"),
    path(f"{BASE}batch/certificates", batch_views.CertificateBatch.as_view(), name="supplier-batch-certificates"),
    path(f"{BASE}batch/events", batch_views.ReportBatch.as_view(), name="supplier-batch-events"),
    path(f"{BASE}keys", views.Keys.as_view(), name="supplier-keys"),
    path(f"{BASE}me", catalogue_views.Me.as_view(), name="supplier-me"),
    path(f"{BASE}articles", catalogue_views.Articles.as_view(), name="supplier-articles"),
    path(f"{BASE}card-customisations", catalogue_views.Customisations.as_view(), name="supplier-customisations"),
    path(
        f"{BASE}card-customisations/<customisation_id:customisation_id>",
        catalogue_views.Customisation.as_view(),
        name="supplier-customisation",
    ),
    path(
        f"{BASE}card-customisations/<customisation_id:customisation_id>/logotype",
        catalogue_views.Logotype.as_view(),
        name="supplier-logotype",
    ),
    path(f"{BASE}openapi.yaml", description_view(Path(__file__).with_name("openapi.yaml")), name="supplier-openapi"),
]
