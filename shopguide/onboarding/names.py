"""How shops call their columns and their kinds of event."""

import re
from collections.abc import Mapping

_FIELDS: Mapping[str, str] = {
    "at": "event_time timestamp event_timestamp time datetime date ts created_at created "
    "occurred_at click_timestamp time_stamp invoicedate invoice_date order_date event_date t",
    "user_id": "user_id userid user uid customer_id customerid customer client_id visitor_id "
    "visitorid member_id buyer_id household_id person_id account_id",
    "item_id": "item_id itemid item product_id productid product sku article_id goods_id asin "
    "movie_id stockcode stock_code content_id adgroup_id ad_id",
    "kind": "event_type eventtype event type kind action action_type behavior behavior_type "
    "behaviour behaviour_type event_name activity",
    "value": "price amount value revenue order_value unit_price unitprice sales total paid",
    "session_id": "session_id sessionid user_session session visit_id",
    "event_id": "event_id eventid uuid message_id",
    "place_id": "place_id store_id shop_id store site channel",
    "request_id": "request_id list_id impression_id search_id srch_id query_id slate_id "
    "page_view_id",
    "position": "position rank slot pos",
    "propensity": "propensity propensity_score pscore action_prob",
    "sample_weight": "sample_weight row_weight",
    "received_at": "received_at server_time ingested_at",
    "currency": "currency currency_code",
    "quantity": "quantity qty",
    "category": "category category_id categoryid category_name cat product_category",
}

_KINDS: Mapping[str, str] = {
    "view": "view pv views viewed detail product_view page_view pageview productview detail_view",
    "impression": "impression imp impressions shown show expose exposure",
    "click": "click clk clicks clicked",
    "cart": "cart add_to_cart addtocart basket add_cart add_to_basket carted",
    "favourite": "fav favourite favorite wish wishlist like collect",
    "purchase": "purchase buy purchased order ordered transaction sale bought checkout sold",
    "return": "return refund returned refunded cancel cancelled canceled",
    "remove": "remove_from_cart removefromcart remove",
}

_FLAGS: Mapping[str, str] = {
    "click": "click clicked is_click clicks clk label",
    "visit": "visit visited",
    "favourite": "fav favourite favorite like is_like liked collect",
    "cart": "cart add_to_cart is_cart addtocart carted",
    "purchase": "sale purchase purchased buy bought conversion converted is_conversion order "
    "ordered is_purchase",
    "share": "share forward is_share shared",
    "follow": "follow is_follow followed",
    "comment": "comment is_comment commented",
}

_MONEY = (
    "spend spent salesamountineuro sales_amount sale_amount sale_price saleprice amount revenue "
    "order_value paid conversion_value value"
)
_DELAYS = "time_delay_for_conversion conversion_delay delay delay_seconds"
_OUTCOME_TIMES = "conversion_timestamp conversion_time sale_time purchase_time order_time"
ARMS = ("treatment", "segment", "arm", "arm_id", "variant", "group", "treatment_group", "exp_group")


def plain(name: str) -> str:
    """Return a name in lower case, its words joined by underscores, as a spec names things."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    text = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_") or "column"
    return (text if text[0].isalpha() else f"c_{text}")[:60]


def _table(words: Mapping[str, str]) -> dict[str, str]:
    return {
        word.replace("_", ""): meaning for meaning, text in words.items() for word in text.split()
    }


_FIELD_OF, _KIND_OF, _FLAG_OF = _table(_FIELDS), _table(_KINDS), _table(_FLAGS)


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def field_of(name: str) -> str | None:
    """Return the field that a column of this name is, by its name alone."""
    return _FIELD_OF.get(_squeezed(name))


def rank_of(name: str, field: str) -> int:
    """Return how usual a name is for a field: 0 the most."""
    words = [word.replace("_", "") for word in _FIELDS[field].split()]
    return words.index(_squeezed(name))


def kind_of(text: str) -> str | None:
    """Return the canonical kind that a text in a log means, None for one that is not known."""
    return _KIND_OF.get(_squeezed(text))


def flag_of(name: str) -> str | None:
    """Return the canonical kind that a column of a wide log says to have happened."""
    return _FLAG_OF.get(_squeezed(name))


def is_money(name: str) -> bool:
    """Say whether a column of a wide log is what an outcome brought."""
    return _squeezed(name) in {word.replace("_", "") for word in _MONEY.split()}


def is_delay(name: str) -> bool:
    """Say whether a column is the time between an impression and its outcome."""
    return _squeezed(name) in {word.replace("_", "") for word in _DELAYS.split()}


def is_outcome_time(name: str) -> bool:
    """Say whether a column is the time of an outcome."""
    return _squeezed(name) in {word.replace("_", "") for word in _OUTCOME_TIMES.split()}


def is_arm(name: str) -> bool:
    """Say whether a column is what an experiment tried."""
    return plain(name) in ARMS
