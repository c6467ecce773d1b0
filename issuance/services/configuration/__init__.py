"""What is configured: the tree of areas and organisations, offices, articles, card customisations, fees, receipt texts.

`scope_path` is written by create and move alone. Each change is one event; edits are made against a version (ADR 0180).
"""

from issuance.services.configuration._editing import Change, Outdated
from issuance.services.configuration._tree import child_path, lock_tree, require_room, segment
from issuance.services.configuration._wishing import wish_version
from issuance.services.configuration.areas import create_area, edit_area, is_empty_area, remove_area
from issuance.services.configuration.articles import (
    ArticleData,
    add_articles,
    choose_articles,
    copy_articles,
    edit_article,
    is_ordered,
    offer_article,
    register_article,
)
from issuance.services.configuration.customisation_requests import (
    close_customisation_request,
    request_customisation,
    use_generic_customisation,
    use_generic_customisation_in_area,
    withdraw_customisation_request,
)
from issuance.services.configuration.customisations import (
    CustomisationData,
    Seen,
    edit_customisation,
    missing,
    register_customisation,
    register_generic_customisation,
    verify_customisation,
)
from issuance.services.configuration.ending import (
    Hindrances,
    end_organisation,
    hindrances,
    reopen_organisation,
    require_place,
)
from issuance.services.configuration.fees import fee_version, set_subscription_fee
from issuance.services.configuration.giving_up import (
    Replacing,
    give_up_customisation,
    queued_with,
    replacing,
    withdraw_pending_customisation,
)
from issuance.services.configuration.moving import move_organisation, require_movable
from issuance.services.configuration.offices import (
    OfficeAddress,
    OfficeData,
    close_office,
    connect_office,
    connect_offices,
    connect_organisations,
    create_office,
    disconnect_office,
    edit_office,
    link_organisations,
    make_office,
    offices_to_connect,
    reopen_office,
)
from issuance.services.configuration.organisations import (
    Making,
    NewOrganisation,
    OrganisationData,
    create_organisation,
    edit_organisation,
    hsa_id_taken,
    make_organisations,
)
from issuance.services.configuration.receipt_texts import set_receipt_text, use_receipt_text_from_above

__all__ = [
    "ArticleData",
    "Change",
    "CustomisationData",
    "Hindrances",
    "Making",
    "NewOrganisation",
    "OfficeAddress",
    "OfficeData",
    "OrganisationData",
    "Outdated",
    "Replacing",
    "Seen",
    "add_articles",
    "child_path",
    "choose_articles",
    "close_customisation_request",
    "close_office",
    "connect_office",
    "connect_offices",
    "connect_organisations",
    "copy_articles",
    "create_area",
    "create_office",
    "create_organisation",
    "disconnect_office",
    "edit_area",
    "edit_article",
    "edit_customisation",
    "edit_office",
    "edit_organisation",
    "end_organisation",
    "fee_version",
    "give_up_customisation",
    "hindrances",
    "hsa_id_taken",
    "is_empty_area",
    "is_ordered",
    "link_organisations",
    "lock_tree",
    "make_office",
    "make_organisations",
    "missing",
    "move_organisation",
    "offer_article",
    "offices_to_connect",
    "queued_with",
    "register_article",
    "register_customisation",
    "register_generic_customisation",
    "remove_area",
    "reopen_office",
    "reopen_organisation",
    "replacing",
    "request_customisation",
    "require_movable",
    "require_place",
    "require_room",
    "segment",
    "set_receipt_text",
    "set_subscription_fee",
    "use_generic_customisation",
    "use_generic_customisation_in_area",
    "use_receipt_text_from_above",
    "verify_customisation",
    "wish_version",
    "withdraw_customisation_request",
    "withdraw_pending_customisation",
]
