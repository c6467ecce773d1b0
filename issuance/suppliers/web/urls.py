"""URLs of the suppliers' pages. They identify a supplier by its reference in the clients file, and a delivery by its id."""

from django.urls import path

from issuance.suppliers.web import suppliers

_SUPPLIER = "pki/kortleverantorer/<slug:client_ref>/"

urlpatterns = [
    path("pki/kortleverantorer/", suppliers.supplier_list, name="suppliers"),
    path(_SUPPLIER, suppliers.supplier, name="supplier"),
    path(f"{_SUPPLIER}leveranser/<uuid:delivery_id>/", suppliers.delivery, name="supplier_delivery"),
]
