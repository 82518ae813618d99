"""Support contacts of the synthetic shop: what about, in which words and mood, and how they end."""

from schemas.instants import HOUR, MINUTE, Instant
from streams.sources.shop_customers import Customer
from streams.sources.shop_floor import Event, Floor

_CHANNELS = ("chat", "chat", "email", "email", "email", "phone")
_RESOLVED = 0.92
_RATED = 0.5

_TEXTS: dict[str, tuple[tuple[float, str], ...]] = {
    "delivery": (
        (-0.8, "My parcel should have been here days ago and nobody answers. This is the second time."),
        (-0.4, "The tracking has not moved since Monday. Where is my order?"),
        (0.0, "Can I change the delivery address of my order?"),
        (0.3, "Which day will it come? I would like to be at home."),
    ),
    "pricing": (
        (-0.6, "The coupon was refused at the checkout although it is still valid. That is annoying."),
        (-0.3, "The price went up while the item was in my cart."),
        (0.1, "Do you match the price of another shop?"),
        (0.4, "Is there a discount if I take three of them?"),
    ),
    "product": (
        (-0.7, "It broke after two days. Poor quality for that price."),
        (-0.2, "The colour is not the one in the pictures."),
        (0.2, "Which size should I take if I am between two?"),
        (0.7, "I love it. Will you have it in green as well?"),
    ),
    "returns": (
        (-0.7, "I sent it back two weeks ago and still wait for my money."),
        (-0.3, "The return label does not print."),
        (0.0, "How do I send back one item of an order?"),
        (0.4, "Thank you for the quick refund. Can I get another size instead?"),
    ),
    "account": (
        (-0.5, "I cannot sign in any more, the reset mail never arrives."),
        (-0.1, "I have two accounts, can you merge them?"),
        (0.1, "How do I change the e-mail address of my account?"),
        (0.2, "Please send me the invoices of this year."),
    ),
}
TOPICS = tuple(_TEXTS)
"""What contacts are about."""


def contact(floor: Floor, customer: Customer, instant: Instant, topic: str) -> None:
    """Turn to support at an instant; the answer and the rating follow hours later, if at all."""
    rng = floor.rng
    mood, text = rng.choice(_TEXTS[topic])
    sentiment = round(max(-1.0, min(1.0, mood + rng.gauss(0.0, 0.15))), 2)
    who: Event = {"customer_id": customer.customer_id}
    about: Event = {**who, "contact_id": f"t{customer.index:06d}-{customer.numbered:05d}"}
    body: Event = {**about, "channel": rng.choice(_CHANNELS), "topic": topic, "text": text, "sentiment": sentiment}
    floor.note(customer, instant, "support.contacted", "helpdesk", body)
    if not floor.chance(_RESOLVED):
        return
    resolved = floor.after(instant, 6 * HOUR)
    floor.note(customer, resolved, "support.resolved", "helpdesk", about)
    if floor.chance(_RATED):
        csat = max(1, min(5, round(3.5 + 2 * sentiment + rng.gauss(0.0, 0.7))))
        # Not every rating tool says which contact it is about.
        rated = about if floor.chance(0.9) else who
        floor.note(customer, floor.after(resolved, 90 * MINUTE), "support.rated", "helpdesk", {**rated, "csat": csat})
