"""URLs of activation, of unlocking, of suspected documents and of receipts."""

from django.urls import URLPattern, path

from issuance.activation.web import receipts, suspicions, unlocking, views, withdrawing

urlpatterns: list[URLPattern] = [
    path("sok/barare/<uuid:carrier_id>/aktivera/", views.activate, name="activate"),
    path("aktivering/<uuid:transaction_id>/underteckna/", views.sign, name="activation_sign"),
    path("aktivering/<uuid:transaction_id>/lage/", views.state, name="activation_state"),
    path("aktivering/<uuid:transaction_id>/klar/", views.done, name="activation_done"),
    path("aktivering/<uuid:transaction_id>/avbryt/", views.cancel, name="activation_cancel"),
    path("sok/barare/<uuid:carrier_id>/las-upp/", unlocking.unlock, name="unlock"),
    path("upplasning/<uuid:transaction_id>/", unlocking.follow, name="unlocking"),
    path("upplasning/<uuid:transaction_id>/lage/", unlocking.state, name="unlocking_state"),
    path("upplasning/<uuid:transaction_id>/avbryt/", unlocking.cancel, name="unlocking_cancel"),
    path(
        "identifiering/<uuid:identification_id>/ta-tillbaka/",
        withdrawing.identification_withdraw,
        name="identification_withdraw",
    ),
    path("sok/barare/<uuid:carrier_id>/misstankt-handling/", suspicions.suspicion_report, name="suspicion_report"),
    path("misstankta-handlingar/", suspicions.suspicion_list, name="suspicions"),
    path("misstankta-handlingar/<uuid:suspicion_id>/", suspicions.suspicion, name="suspicion"),
    path("sok/barare/<uuid:carrier_id>/kvittens/", receipts.receipt, name="receipt"),
    path("sok/barare/<uuid:carrier_id>/kvittens.pdf", receipts.receipt_pdf, name="receipt_pdf"),
    path("hjalp/identifiering/", views.identification_help, name="identification_help"),
    path("villkor/", views.terms, name="terms"),
]
