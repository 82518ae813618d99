"""The profile: everything remembered about one customer.

Every part is a join-semilattice: what it holds is a function of the *set* of events it was given, never of their order
or of how often they came. Orders, refunds and contacts are remembered by their ids, cart changes and visits by their
instants. So any permutation or duplication of the same events ends in the same profile.

What is bounded is bounded by keeping the *latest*, which is a function of the set as well: cart changes
(`MAX_CART_CHANGES` since the cart was last emptied), visits (`MAX_VISITS` within `VISITS_KEPT`), contacts (the latest
`MAX_CONTACTS`), attributes (`MAX_ATTRIBUTES`, the first by name). Orders and refunds are all kept.
"""

from bisect import insort
from dataclasses import dataclass, field
from typing import Any

from schemas.instants import DAY, MINUTE, Duration, Instant

MAX_CART_CHANGES = 500
MAX_CONTACTS = 200
"""Both are more than a person comes to: within them, what rules read of a cart or of a month's contacts is exact."""
MAX_ATTRIBUTES = 64
VISITS_KEPT: Duration = 91 * DAY
"""A day longer than a rule may ask, so that what is forgotten at the edge never shows in an answer."""
MAX_VISITS = 200
VISIT_GAP: Duration = 30 * MINUTE
"""Site events with less than this between neighbours are one visit."""

LONG_AGO: Instant = -(2**62)
"""Before every instant."""
AFTER_TIES = 2**32
"""Greater than the tie-break of any event: an order empties the cart of what came at its very instant, too."""


def _packed() -> Any:
    """The field for a part as `streams.core.codec` wrote it last; None: it has changed since."""
    return field(default=None, compare=False, repr=False)


@dataclass(slots=True)
class Order:
    """One order. Amounts are minor units of the base currency; None: not heard of yet."""

    placed_at: Instant | None = None
    total: int = 0
    updated_at: Instant | None = None
    updated_total: int = 0
    cancelled: bool = False

    @property
    def amount(self) -> int:
        """What is to be paid as of the latest update."""
        return self.total if self.updated_at is None else self.updated_total


@dataclass(slots=True)
class Orders:
    """All orders and refunds of a customer, and what follows from them."""

    by_id: dict[str, Order] = field(default_factory=dict)
    refunds: dict[str, tuple[Instant, int, str]] = field(default_factory=dict)
    """refund id -> (at, amount, order id or "" where it names none)."""
    counting: list[tuple[Instant, str]] = field(default_factory=list)
    """(placed_at, order id) of the orders that count, in time order. Derived, as is all below."""
    spend: int = 0
    """What was paid less refunds."""
    count: int = 0
    """Orders neither cancelled nor refunded in full."""
    average: float | None = None
    """spend / count."""
    first_at: Instant | None = None
    """When the first order that counts was placed."""
    last_at: Instant | None = None
    """When the latest order that counts was placed."""
    packed: bytes | None = _packed()
    purchases: Any = field(default=None, compare=False, repr=False)
    """`streams.core.predict.purchases.Purchases`, once a rule has asked for them; None: they have changed since."""

    def derive(self) -> None:
        """Work out anew what counts and what was spent."""
        refunded: dict[str, int] = {}
        spend = 0
        for _at, amount, order_id in self.refunds.values():
            refunded[order_id] = refunded.get(order_id, 0) + amount
            order = self.by_id.get(order_id)
            if order is None or not order.cancelled:
                spend -= amount
        counting = []
        for order_id, order in self.by_id.items():
            if order.placed_at is None or order.cancelled:
                continue
            spend += order.amount
            back = refunded.get(order_id)
            if back is None or back < order.amount:
                counting.append((order.placed_at, order_id))
        counting.sort()
        self.counting = counting
        self.spend = spend
        self._sum_up()

    def add_counting(self, placed_at: Instant, order_id: str, amount: int) -> None:
        """What `derive` would do after one new order that no refund names; without looking at the others."""
        insort(self.counting, (placed_at, order_id))
        self.spend += amount
        self._sum_up()

    def _sum_up(self) -> None:
        counting, self.packed, self.purchases = self.counting, None, None
        self.count = count = len(counting)
        if count:
            self.average, self.first_at, self.last_at = self.spend / count, counting[0][0], counting[-1][0]
        else:
            self.average = self.first_at = self.last_at = None


Change = tuple[Instant, int, str, int]
"""A change of the cart: (at, tie-break, product, quantity): negative takes out, 0 takes all of it out."""


@dataclass(slots=True)
class Cart:
    """What lies in the cart: the latest reset, and the changes after it."""

    reset_at: Instant = LONG_AGO
    reset_tie: int = 0
    filled: dict[str, int] | None = None
    """What the reset put in: a whole cart as the shop sent it. None: it emptied the cart."""
    changes: list[Change] = field(default_factory=list)
    items: int = 0
    """Pieces in the cart. Derived."""
    updated_at: Instant | None = None
    """When it was last touched since it was emptied. Derived."""
    packed: bytes | None = _packed()

    def reset(self, at: Instant, tie: int, filled: dict[str, int] | None) -> bool:
        """Everything up to (at, tie) is replaced by `filled`; says whether that was news."""
        if (at, tie) <= (self.reset_at, self.reset_tie):
            return False
        self.reset_at, self.reset_tie, self.filled = at, tie, filled
        self.changes = [change for change in self.changes if change[:2] > (at, tie)]
        self.derive()
        return True

    def change(self, change: Change) -> bool:
        """Put in or take out; says whether that was news."""
        if change[:2] <= (self.reset_at, self.reset_tie) or change in self.changes:
            return False
        insort(self.changes, change)
        del self.changes[:-MAX_CART_CHANGES]
        self.derive()
        return True

    def derive(self) -> None:
        """Work out anew what lies in the cart: `items` and `updated_at`."""
        self.packed = None
        content = dict(self.filled) if self.filled else {}
        for _at, _tie, product, quantity in self.changes:
            content[product] = max(0, content.get(product, 0) + quantity) if quantity else 0
        self.items = sum(content.values())
        if self.changes:
            self.updated_at = self.changes[-1][0]
        else:
            self.updated_at = self.reset_at if self.filled is not None else None


@dataclass(slots=True)
class Visits:
    """When the customer was on the site: runs of site events, (first, last) each, in time order."""

    runs: list[tuple[Instant, Instant]] = field(default_factory=list)
    last_at: Instant | None = None
    """The latest site event. Derived."""
    packed: bytes = field(default=b"", compare=False, repr=False)
    """The first `packed_runs` runs as `streams.core.codec` wrote them, behind the `forgotten` ones before them."""
    packed_runs: int = field(default=0, compare=False, repr=False)
    forgotten: int = field(default=0, compare=False, repr=False)

    def add(self, at: Instant) -> bool:
        """A site event; joins the runs it lies closer to than `VISIT_GAP`.

        Says whether the runs changed otherwise than by the end of the last one, which `last_at` tells.
        """
        runs, last = self.runs, self.last_at
        if last is None or at >= last + VISIT_GAP:
            runs.append((at, at))
            begun = True
        elif at >= last:
            runs[-1] = (runs[-1][0], at)
            begun = False
        else:
            return self._add_late(at)
        self.last_at = at
        if runs[0][1] < at - VISITS_KEPT or len(runs) > MAX_VISITS:
            self._forget()
            return True
        return begun

    def _add_late(self, at: Instant) -> bool:
        if at < self.runs[-1][1] - VISITS_KEPT or any(first <= at <= last for first, last in self.runs):
            return False
        near = [run for run in self.runs if run[0] - VISIT_GAP < at < run[1] + VISIT_GAP]
        joined = (min([at, *(run[0] for run in near)]), max([at, *(run[1] for run in near)]))
        self.runs = sorted([run for run in self.runs if run not in near] + [joined])
        self.packed, self.packed_runs, self.forgotten = b"", 0, 0
        self._forget()
        return True

    def _forget(self) -> None:
        runs = self.runs
        horizon = runs[-1][1] - VISITS_KEPT
        while runs[0][1] < horizon or len(runs) > MAX_VISITS:
            del runs[0]
            if self.packed_runs:
                self.packed_runs -= 1
                self.forgotten += 1


@dataclass(slots=True)
class Email:
    """Consent, and the latest sign that our mail is read."""

    subscribed_at: Instant | None = None
    unsubscribed_at: Instant | None = None
    engaged_at: Instant | None = None
    subscribed: bool = False
    """Opted in. Derived."""
    packed: bytes | None = _packed()

    def derive(self) -> None:
        """Work out anew whether they are opted in; at one and the same instant the unsubscription wins."""
        self.packed = None
        self.subscribed = self.subscribed_at is not None and (
            self.unsubscribed_at is None or self.subscribed_at > self.unsubscribed_at
        )


@dataclass(slots=True)
class Support:
    """The latest contacts and the latest rating."""

    contacts: dict[str, tuple[Instant, str | None, float | None]] = field(default_factory=dict)
    """contact id -> (at, topic, sentiment)."""
    csat_at: Instant | None = None
    csat: int | None = None
    ordered: list[tuple[Instant, str, str | None, float | None]] = field(default_factory=list)
    """(at, contact id, topic, sentiment), oldest first. Derived."""
    packed: bytes | None = _packed()

    def derive(self) -> None:
        """Put the contacts into order anew, and forget the oldest beyond `MAX_CONTACTS`."""
        self.packed = None
        rows = sorted((at, key, topic, mood) for key, (at, topic, mood) in self.contacts.items())
        for _at, key, _topic, _mood in rows[:-MAX_CONTACTS]:
            del self.contacts[key]
        self.ordered = rows[-MAX_CONTACTS:]


@dataclass(slots=True)
class Profile:
    """One customer. `id` is the customer id, or `anonymous:` and the anonymous id."""

    id: str
    seen_at: Instant = LONG_AGO
    """The latest event of any kind."""
    orders: Orders = field(default_factory=Orders)
    cart: Cart = field(default_factory=Cart)
    visits: Visits = field(default_factory=Visits)
    email: Email = field(default_factory=Email)
    support: Support = field(default_factory=Support)
    attributes: dict[str, tuple[Instant, bool | float | str | None]] = field(default_factory=dict)
    """name -> (at, value); None: taken away."""

    engaged_at: Instant | None = None
    """The latest site event, or mail opened or clicked. Derived."""
    around: tuple[bytes, bytes] | None = _packed()
    """All that is packed before the visits, and all that is packed after them."""

    @property
    def last_event_at(self) -> Instant | None:
        """The latest event of any kind, where there was one."""
        return self.seen_at if self.seen_at > LONG_AGO else None

    def derive(self) -> None:
        """Work out anew what follows from the rest, in a profile that was just read."""
        self.orders.derive()
        self.cart.derive()
        self.email.derive()
        self.support.derive()
        if self.visits.runs:
            self.visits.last_at = self.visits.runs[-1][1]
        engaged = [at for at in (self.visits.last_at, self.email.engaged_at) if at is not None]
        self.engaged_at = max(engaged, default=None)
