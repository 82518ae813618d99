"""Events in: what a shop tells us. The single source of truth; JSON Schemas and AsyncAPI are generated from here.

Unknown fields are ignored, so that a producer may add some; unknown types and versions are dead letters.
Optional fields may be null. Models are frozen and strict: "3" is not a number.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import Currency, Id, Label, Money, Quantity, Text, Url, Version1, When
from schemas.names import ANONYMOUS

MAX_ITEMS = 2_000
"""Lines in one order or one cart; more is a dead letter."""


class Event(BaseModel):
    """What every event has. `customer_id` or `anonymous_id` must be there; with both, the customer counts."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        json_schema_extra={
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "string"}}}
                for name in ("customer_id", "anonymous_id")
            ]
        },
    )

    id: Annotated[Id, Field(description="Of this event; sent again, it is the same.")]
    version: Annotated[Version1, Field(description="Of this event type's form.")]
    occurred_at: Annotated[When, Field(description="When it happened: RFC 3339 with an offset.")]
    source: Annotated[Label, Field(description="The system that says so.")]
    customer_id: Annotated[
        Annotated[Id, Field(json_schema_extra={"not": {"pattern": f"^{ANONYMOUS}"}})] | None,
        Field(description=f"Who it happened to, if known. It may not begin with '{ANONYMOUS}'."),
    ] = None
    anonymous_id: Annotated[Id | None, Field(description="The visitor: the id of a cookie or a device.")] = None


class Item(BaseModel):
    """One line of an order or of a cart; without a quantity, one piece."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    product_id: Id
    category: Label | None = None
    quantity: Quantity | None = None
    unit_price: Money | None = None


BaseUnlessGiven = Annotated[
    Currency | None, Field(description="Left out, it is the base currency of the definitions file.")
]
Items = Annotated[list[Item], Field(max_length=MAX_ITEMS)]


class OrderPlaced(Event):
    """A customer bought. `total` is what was paid."""

    type: Literal["order.placed"]
    order_id: Id
    total: Money
    currency: Currency
    discount: Money | None = None
    coupon: Label | None = None
    items: Items = Field(default_factory=list)


class OrderUpdated(Event):
    """An order changed after it was placed; what is left out stays as it was."""

    type: Literal["order.updated"]
    order_id: Id
    total: Money | None = None
    currency: BaseUnlessGiven = None
    discount: Money | None = None
    coupon: Label | None = None
    items: Items | None = None


class OrderCancelled(Event):
    """An order was taken back before it was fulfilled: it no longer counts."""

    type: Literal["order.cancelled"]
    order_id: Id
    reason: Label | None = None


class OrderRefunded(Event):
    """Money went back. A credit note that names no order lowers spend only."""

    type: Literal["order.refunded"]
    refund_id: Id
    amount: Money
    currency: BaseUnlessGiven = None
    order_id: Id | None = None
    reason: Label | None = None


class OrderDelivered(Event):
    """An order reached the customer."""

    type: Literal["order.delivered"]
    order_id: Id


class SiteEvent(Event):
    """What a visitor did on the site, or with our mail."""

    session_id: Id | None = None


class PageViewed(SiteEvent):
    """A page was opened."""

    type: Literal["page.viewed"]
    url: Url | None = None
    referrer: Url | None = None


class ProductViewed(SiteEvent):
    """A product page was opened."""

    type: Literal["product.viewed"]
    product_id: Id
    category: Label | None = None


class ProductFavourited(SiteEvent):
    """A product was put on a wish list."""

    type: Literal["product.favourited"]
    product_id: Id
    category: Label | None = None


class SearchPerformed(SiteEvent):
    """The shop's search was used."""

    type: Literal["search.performed"]
    query: Label | None = None
    results: Annotated[int, Field(ge=0)] | None = None


class CartItemAdded(SiteEvent):
    """Something was put into the cart; without a quantity, one piece."""

    type: Literal["cart.item_added"]
    product_id: Id
    category: Label | None = None
    quantity: Quantity | None = None
    unit_price: Money | None = None


class CartItemRemoved(SiteEvent):
    """Something was taken out of the cart; without a quantity, all of that product."""

    type: Literal["cart.item_removed"]
    product_id: Id
    quantity: Quantity | None = None


class CartUpdated(SiteEvent):
    """The whole cart as it is now."""

    type: Literal["cart.updated"]
    items: Items


class CartCleared(SiteEvent):
    """The cart was emptied by hand."""

    type: Literal["cart.cleared"]


class CheckoutStarted(SiteEvent):
    """The visitor went to pay."""

    type: Literal["checkout.started"]


class CustomerIdentified(SiteEvent):
    """A visitor said who they are: `anonymous_id` is `customer_id` from here on."""

    type: Literal["customer.identified"]


AttributeNumber = Annotated[int, Field(ge=-(2**53), le=2**53)]
"""What JSON numbers hold exactly in every language."""


class CustomerUpdated(SiteEvent):
    """Attributes of a customer; null takes one away, what is left out stays as it was."""

    type: Literal["customer.updated"]
    attributes: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=64)], bool | AttributeNumber | float | Label | None],
        Field(max_length=64),
    ]


class EmailSubscribed(SiteEvent):
    """The customer agreed to our mail."""

    type: Literal["email.subscribed"]


class EmailUnsubscribed(SiteEvent):
    """The customer wants no more mail."""

    type: Literal["email.unsubscribed"]


class EmailOpened(SiteEvent):
    """A mail of ours was opened."""

    type: Literal["email.opened"]
    campaign_id: Id | None = None


class EmailClicked(SiteEvent):
    """A link in a mail of ours was followed."""

    type: Literal["email.clicked"]
    campaign_id: Id | None = None
    url: Url | None = None


class SupportContacted(Event):
    """The customer turned to support. `sentiment` runs from -1 (furious) to 1 (delighted)."""

    type: Literal["support.contacted"]
    contact_id: Id
    channel: Label
    topic: Label | None = None
    text: Text | None = None
    sentiment: Annotated[float, Field(ge=-1, le=1)] | None = None


class SupportResolved(Event):
    """A contact was closed."""

    type: Literal["support.resolved"]
    contact_id: Id


class SupportRated(Event):
    """The customer rated a contact, from 1 (bad) to 5 (good)."""

    type: Literal["support.rated"]
    csat: Annotated[int, Field(ge=1, le=5)]
    contact_id: Id | None = None


OrdersEvent = OrderPlaced | OrderUpdated | OrderCancelled | OrderRefunded | OrderDelivered
SiteEventsEvent = (
    PageViewed
    | ProductViewed
    | ProductFavourited
    | SearchPerformed
    | CartItemAdded
    | CartItemRemoved
    | CartUpdated
    | CartCleared
    | CheckoutStarted
    | CustomerIdentified
    | CustomerUpdated
    | EmailSubscribed
    | EmailUnsubscribed
    | EmailOpened
    | EmailClicked
)
SupportContactsEvent = SupportContacted | SupportResolved | SupportRated
AnyEvent = OrdersEvent | SiteEventsEvent | SupportContactsEvent


class Catalogue:
    """Which event types a topic carries."""

    by_topic: ClassVar[dict[str, tuple[type[Event], ...]]] = {
        "orders": OrdersEvent.__args__,
        "site-events": SiteEventsEvent.__args__,
        "support-contacts": SupportContactsEvent.__args__,
    }
    topic_of: ClassVar[dict[str, str]] = {
        model.model_fields["type"].annotation.__args__[0]: topic  # type: ignore[union-attr]
        for topic, models in by_topic.items()
        for model in models
    }
