"""Addresses of Administrera: ids that mean nothing, never a name or a person's number. An article is called by its code."""

from django.urls import URLPattern, path

from issuance.administration.web import history, overview
from issuance.articles.web import area_articles, articles
from issuance.customisations.web import area_customisations, customisation_requests, customisations
from issuance.offices.web import offices
from issuance.organisations.web import area_tree, areas, ending, moving, organisations
from issuance.receipt_texts import web as receipt_texts
from issuance.search.web import extended_searches, holders

_AREA = "administrera/utgivningsomrade/<uuid:area_id>/"
_ORGANISATION = "administrera/organisation/<uuid:organisation_id>/"
_WISH = f"{_ORGANISATION}kortanpassning/onskemal/"
_CUSTOMISATION = "administrera/kortanpassning/<uuid:customisation_id>/"
_ARTICLE = "administrera/artikel/<slug:code>/"
_OFFICE = "administrera/kontor/<uuid:office_id>/"

urlpatterns: list[URLPattern] = [
    path("administrera/", overview.overview, name="administration"),
    path("administrera/utgivningsomrade/nytt/", areas.area_new, name="area_new"),
    path(_AREA, areas.area, name="area"),
    path(f"{_AREA}organisationstrad/", area_tree.tree, name="area_tree"),
    path(f"{_AREA}artiklar/", area_articles.area_articles, name="area_articles"),
    path(f"{_AREA}kortanpassningar/", area_customisations.area_customisations, name="area_customisations"),
    path(f"{_AREA}redigera/", areas.area_edit, name="area_edit"),
    path(f"{_AREA}ta-bort/", areas.area_remove, name="area_remove"),
    path(f"{_AREA}historik/", history.area_history, name="area_history"),
    path(f"{_AREA}utokade-sokningar/", extended_searches.area_extended_searches, name="area_extended_searches"),
    path(f"{_AREA}ny-organisation/", organisations.organisation_new, name="organisation_new"),
    path(_ORGANISATION, organisations.organisation, name="organisation"),
    path(f"{_ORGANISATION}redigera/", organisations.organisation_edit, name="organisation_edit"),
    path(f"{_ORGANISATION}historik/", history.organisation_history, name="organisation_history"),
    path(f"{_ORGANISATION}innehavare/", holders.organisation_holders, name="organisation_holders"),
    path(f"{_ORGANISATION}innehavare.csv", holders.organisation_holders_csv, name="organisation_holders_csv"),
    path(f"{_ORGANISATION}ny-underorganisation/", organisations.sub_organisation_new, name="sub_organisation_new"),
    path(f"{_ORGANISATION}abonnemangsavgift/", organisations.organisation_fee, name="organisation_fee"),
    path(f"{_ORGANISATION}flytta/", moving.organisation_move, name="organisation_move"),
    path(f"{_ORGANISATION}avsluta/", ending.organisation_end, name="organisation_end"),
    path(f"{_ORGANISATION}ateruppta/", ending.organisation_reopen, name="organisation_reopen"),
    path(f"{_AREA}nytt-kontor/", offices.office_new, name="office_new"),
    path(_OFFICE, offices.office, name="office"),
    path(f"{_OFFICE}redigera/", offices.office_edit, name="office_edit"),
    path(f"{_OFFICE}historik/", offices.office_history, name="office_history"),
    path(f"{_OFFICE}koppla-organisation/", offices.office_connect, name="office_connect"),
    path(f"{_OFFICE}stang/", offices.office_close, name="office_close"),
    path(f"{_OFFICE}oppna/", offices.office_reopen, name="office_reopen"),
    path(f"{_ORGANISATION}kontor/", offices.organisation_offices, name="organisation_offices"),
    path(f"{_ORGANISATION}kvittenstexter/", receipt_texts.organisation_receipt_texts, name="organisation_receipt_texts"),
    path(f"{_ORGANISATION}kvittenstext/", receipt_texts.organisation_receipt_text, name="organisation_receipt_text"),
    path(f"{_ORGANISATION}artiklar/", articles.organisation_articles, name="organisation_articles"),
    path("administrera/artiklar/", articles.catalogue, name="articles"),
    path("administrera/artiklar/ny/", articles.article_new, name="article_new"),
    path(_ARTICLE, articles.article, name="article"),
    path(f"{_ARTICLE}redigera/", articles.article_edit, name="article_edit"),
    path(f"{_ARTICLE}historik/", articles.article_history, name="article_history"),
    path("administrera/kortanpassningar/", customisations.customisations, name="customisations"),
    path("administrera/kortanpassningar/ny-generell/", customisations.generic_new, name="customisation_new_generic"),
    path(f"{_ORGANISATION}kortanpassning/", customisations.organisation_customisation, name="organisation_customisation"),
    path(f"{_ORGANISATION}ny-kortanpassning/", customisations.customisation_new, name="customisation_new"),
    path(f"{_ORGANISATION}ta-bort-kortanpassning/", customisations.customisation_give_up, name="customisation_give_up"),
    path(f"{_ORGANISATION}kortanpassning/ta-bort-ny/", customisations.customisation_withdraw, name="customisation_withdraw"),
    path(_WISH, customisation_requests.customisation_request, name="customisation_request"),
    path(f"{_WISH}klart/", customisation_requests.customisation_request_close, name="customisation_request_close"),
    path(
        f"{_ORGANISATION}kortanpassning/generell/",
        customisation_requests.customisation_use_generic,
        name="customisation_use_generic",
    ),
    path(_CUSTOMISATION, customisations.customisation, name="customisation"),
    path(f"{_CUSTOMISATION}redigera/", customisations.customisation_edit, name="customisation_edit"),
    path(f"{_CUSTOMISATION}historik/", customisations.customisation_history, name="customisation_history"),
]
