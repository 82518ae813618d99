"""One visit to the synthetic shop: looking, searching, filling a cart, signing in, paying or not."""

from schemas.instants import DAY, MINUTE, SECOND, Duration, Instant
from streams.sources.shop_assortment import CATEGORIES, Product
from streams.sources.shop_customers import Customer
from streams.sources.shop_floor import Event, Floor, item
from streams.sources.shop_orders import place_order
from streams.sources.shop_support import contact

_SHOP = "https://shop.example"
_REFERRERS = ("https://search.example/", "https://social.example/", "https://news.example/deals")
_TAGS = ("gifts", "outdoor", "sale", "kids", "gifts,sale", "outdoor,kids")
_DWELL: Duration = 25 * SECOND
_OLD_CART: Duration = 10 * DAY
_MOST_INTERESTS = 15
_THANKED = 0.6
"""A buyer is still there for the thank-you page; others have closed the tab, or come back by way of their bank."""
_HELP = 0.006
"""A visit of somebody known ends with a question that no order is behind."""


class Visit:
    """A visit under way. The cart is the customer's: what is left in it is there the next time."""

    def __init__(self, floor: Floor, customer: Customer, now: Instant) -> None:
        """Come in at an instant, signed in or not, perhaps with a new device."""
        self.floor = floor
        self.customer = customer
        self.now = now
        self.session_id = f"s{customer.index:06d}-{customer.visited:04d}"
        self.source = "app" if floor.chance(0.3) else "web"
        if floor.chance(0.03):
            customer.device += 1
            customer.trusted = False
            customer.cart = {}
        self.signed_in = customer.trusted and floor.chance(0.85)
        self.with_both_ids = floor.chance(0.3)
        self.who = self._who()

    def _who(self) -> Event:
        """The ids that events of this visit carry."""
        anonymous: Event = {"anonymous_id": self.customer.anonymous_id, "session_id": self.session_id}
        if not self.signed_in:
            return anonymous
        if self.with_both_ids:
            return {"customer_id": self.customer.customer_id, **anonymous}
        return {"customer_id": self.customer.customer_id, "session_id": self.session_id}

    def do(self, kind: str, fields: Event) -> None:
        """Do something, then stay with it for a while."""
        self.floor.note(self.customer, self.now, kind, self.source, {**self.who, **fields})
        self.now = self.floor.after(self.now, _DWELL)

    def sign_in(self) -> None:
        """Say who they are: from now on the device belongs to the customer."""
        if self.signed_in:
            return
        customer = self.customer
        self.signed_in = customer.known = customer.trusted = True
        self.do("customer.identified", {"customer_id": customer.customer_id})
        self.who = self._who()

    def introduce(self) -> None:
        """Record attributes and consent, the first time that somebody known is here; rarely change them later."""
        customer, rng = self.customer, self.floor.rng
        if not customer.introduced:
            customer.introduced = True
            attributes: Event = {"country": customer.country, "language": customer.language}
            if self.floor.chance(0.5):
                attributes["tags"] = rng.choice(_TAGS)
            self.do("customer.updated", {"attributes": attributes})
            if self.floor.chance(customer.habits.subscribes):
                customer.consents = True
                self.do("email.subscribed", {})
        elif self.floor.chance(0.015):
            tags = rng.choice(_TAGS) if self.floor.chance(0.7) else None
            self.do("customer.updated", {"attributes": {"tags": tags, "app": self.source == "app"}})

    def browse(self) -> None:
        """Look at some products."""
        habits, rng = self.customer.habits, self.floor.rng
        landing: Event = {"url": f"{_SHOP}/"}
        if self.floor.chance(0.4):
            landing["referrer"] = rng.choice(_REFERRERS)
        self.do("page.viewed", landing)
        products = min(_MOST_INTERESTS, int(rng.expovariate(1.0 / habits.interests)))
        for _ in range(products):
            self.look_at_one()

    def look_at_one(self) -> None:
        """Find a product, look at it, and perhaps take it."""
        floor, rng = self.floor, self.floor.rng
        favourite = floor.chance(0.55)
        shelf = self.customer.shelf if favourite else int(rng.random() * len(CATEGORIES))
        way = rng.random()
        category = CATEGORIES[shelf]
        if way < 0.25:  # noqa: PLR2004 # shares of the ways to a product, next to each other
            self.do("search.performed", {"query": rng.choice(category.queries), "results": int(rng.random() * 40)})
        elif way < 0.6:  # noqa: PLR2004 # the rest comes straight to the product
            self.do("page.viewed", {"url": f"{_SHOP}/{category.name}"})
        product = floor.assortment.pick(rng, shelf)
        seen: Event = {"product_id": product.product_id, "category": product.category}
        self.do("product.viewed", seen)
        if floor.chance(0.05):
            self.do("product.favourited", seen)
        if floor.chance(self.customer.habits.adds):
            self.add(product)

    def add(self, product: Product) -> None:
        """Put a product into the cart."""
        cart = self.customer.cart
        quantity = 2 if self.floor.chance(0.12) else 1
        cart[product] = cart.get(product, 0) + quantity
        self.customer.cart_at = self.now
        self.do("cart.item_added", item(product, quantity))

    def tidy(self) -> None:
        """Change one's mind about what is in the cart."""
        floor, cart = self.floor, self.customer.cart
        if self.now - self.customer.cart_at > _OLD_CART or floor.chance(0.02):
            cart.clear()
            self.do("cart.cleared", {})
        elif floor.chance(0.1):
            product = floor.rng.choice(list(cart))
            quantity = cart.pop(product)
            gone: Event = {"product_id": product.product_id}
            if floor.chance(0.5):
                gone["quantity"] = quantity
            self.do("cart.item_removed", gone)
        elif floor.chance(0.08):
            product = floor.rng.choice(list(cart))
            cart[product] += 1
            self.do("cart.updated", {"items": [item(each, quantity) for each, quantity in cart.items()]})

    def check_out(self) -> None:
        """Go to pay, and perhaps pay; otherwise the cart stays behind."""
        habits = self.customer.habits
        self.do("checkout.started", {})
        if self.customer.ordered < habits.orders and self.floor.chance(habits.pays):
            self.sign_in()
            self.introduce()
            place_order(self.floor, self.customer, self.now)
            self.now = self.floor.after(self.now, _DWELL)
            if self.floor.chance(_THANKED):
                self.do("page.viewed", {"url": f"{_SHOP}/thank-you"})


def play_visit(floor: Floor, customer: Customer, instant: Instant) -> Instant:
    """Play one visit from its first instant on, with all that follows from it.

    Returns:
        When the visit is over.
    """
    visit = Visit(floor, customer, instant)
    if visit.signed_in:
        visit.introduce()
    visit.browse()
    if not visit.signed_in and floor.chance(customer.habits.identifies):
        visit.sign_in()
        visit.introduce()
    if customer.cart:
        visit.tidy()
    if customer.cart and floor.chance(customer.habits.checks_out):
        visit.check_out()
    if visit.signed_in and floor.chance(_HELP):
        contact(floor, customer, visit.now + MINUTE, "account" if floor.chance(0.5) else "pricing")
    return visit.now
