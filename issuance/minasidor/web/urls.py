"""URLs of Mina sidor. Ids of carriers and events are the only values in them: never a name, number or serial."""

from django.urls import path

from issuance.minasidor.queries.todo import TASKS
from issuance.minasidor.web import activating, fetching, language, mobile, revoking, testing, unlocking, views

urlpatterns = [
    path("", views.start, name="start"),
    path("hjalp/", views.help_page, name="help"),
    path("sprak/", language.choose_language, name="language"),
    path("kort/<uuid:carrier_id>/", views.carrier, name="my_carrier"),
    path("kort/<uuid:carrier_id>/kvittens.pdf", views.receipt, name="my_receipt"),
    path("vem-har-tittat/", views.access_log, name="my_access_log"),
    path("las-upp/", unlocking.cards, name="my_unlockings"),
    path("las-upp/kort/<uuid:carrier_id>/", unlocking.begin, name="my_unlock"),
    path("las-upp/<uuid:transaction_id>/", unlocking.step, name="my_unlocking"),
    path("las-upp/<uuid:transaction_id>/lage/", unlocking.state, name="my_unlocking_state"),
    path("las-upp/<uuid:transaction_id>/nasta/", unlocking.go_on, name="my_unlocking_next"),
    path("las-upp/<uuid:transaction_id>/avbryt/", unlocking.cancel, name="my_unlocking_cancel"),
    path("aktivera/", activating.activate, name="my_activate"),
    path("aktiverar/<uuid:transaction_id>/", activating.under_way, name="my_activating"),
    path("aktiverar/<uuid:transaction_id>/lage/", activating.state, name="my_activating_state"),
    path("aktiverar/<uuid:transaction_id>/avbryt/", activating.cancel, name="my_activating_cancel"),
    path("sparra/", revoking.revocations, name="my_revocations"),
    path("sparra/kort/<uuid:carrier_id>/", revoking.revoke_carrier, name="my_revoke"),
    path("sparra/kort/<uuid:carrier_id>/klart/", revoking.carrier_revoked, name="my_revoked"),
    path("sparra/eid/<uuid:eid_id>/", revoking.revoke_eid, name="my_revoke_eid"),
    path("sparra/eid/<uuid:eid_id>/klart/", revoking.eid_revoked, name="my_eid_revoked"),
    path("testa/", testing.tests, name="my_tests"),
    path("testa/<uuid:certificate_id>/", testing.begin, name="my_test"),
    path("testar/<uuid:transaction_id>/", testing.step, name="my_testing"),
    path("testar/<uuid:transaction_id>/lage/", testing.state, name="my_testing_state"),
    path("testar/<uuid:transaction_id>/avbryt/", testing.cancel, name="my_testing_cancel"),
    path("underskriftscertifikat/<uuid:certificate_id>/", testing.signature_certificate, name="my_signature_certificate"),
    path("forlang/<uuid:eid_id>/", fetching.extend, name="my_extend"),
    path("hamta/<uuid:order_id>/", fetching.fetch, name="my_fetch"),
    path("hamtar/<uuid:transaction_id>/", fetching.under_way, name="my_fetching"),
    path("hamtar/<uuid:transaction_id>/lage/", fetching.state, name="my_fetching_state"),
    path("hamtar/<uuid:transaction_id>/avbryt/", fetching.cancel, name="my_fetching_cancel"),
    path("mobilt/", mobile.mobiles, name="my_mobile"),
    path("mobilt/villkor/", mobile.terms, name="my_mobile_terms"),
    path("mobilt/ny/<uuid:enrolment_id>/", mobile.enrolment, name="my_mobile_enrolment"),
    path("mobilt/ny/<uuid:enrolment_id>/lage/", mobile.state, name="my_mobile_state"),
    path("mobilt/ny/<uuid:enrolment_id>/avbryt/", mobile.cancel, name="my_mobile_cancel"),
    path("mobilt/<uuid:carrier_id>/namn/", mobile.name, name="my_mobile_name"),
]

TASKS.register(fetching.tasks)
