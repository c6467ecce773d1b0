"""URLs of the issuing pages on the portal. Each package has its own, and registers its tabs and functions in them."""

from issuance.activation.web.urls import urlpatterns as activation
from issuance.administration.web.urls import urlpatterns as administration
from issuance.articles.web.urls import urlpatterns as articles
from issuance.customisations.web.urls import urlpatterns as customisations
from issuance.day.web.urls import urlpatterns as day
from issuance.imports.web.urls import urlpatterns as imports
from issuance.offices.web.urls import urlpatterns as offices
from issuance.operators.web.urls import urlpatterns as operators
from issuance.orders.web.urls import urlpatterns as orders
from issuance.organisations.web.urls import urlpatterns as organisations
from issuance.person_page.web.urls import urlpatterns as person_page
from issuance.receipt_texts.web.urls import urlpatterns as receipt_texts
from issuance.register_care.web.urls import urlpatterns as register_care
from issuance.reserve_cards.web.urls import urlpatterns as reserve_cards
from issuance.revocation.web.urls import urlpatterns as revocation
from issuance.roles.web.urls import urlpatterns as roles
from issuance.search.web.urls import urlpatterns as search
from issuance.stock.web.urls import urlpatterns as stock
from issuance.suppliers.web.urls import urlpatterns as suppliers

urlpatterns = [
    *day,
    *search,
    *person_page,
    *orders,
    *activation,
    *revocation,
    *stock,
    *register_care,
    *reserve_cards,
    *administration,
    *organisations,
    *offices,
    *articles,
    *customisations,
    *receipt_texts,
    *roles,
    *imports,
    *operators,
    *suppliers,
]
