"""What the synthetic shop sells: about 200 products in 12 categories, prices log-normal within a category."""

from dataclasses import dataclass
from math import exp
from random import Random

from streams.sources.shop_plan import Part, ShopPlan


@dataclass(frozen=True, slots=True)
class Category:
    """A category: how many products, what they cost, what people type to find them.

    Attributes:
        name: as it stands in events.
        size: number of products.
        median_price: minor units.
        spread: standard deviation of the price's logarithm.
        queries: searches that lead here.
    """

    name: str
    size: int
    median_price: int
    spread: float
    queries: tuple[str, ...]


CATEGORIES = (
    Category("shoes", 22, 3_800, 0.45, ("running shoes", "boots", "white trainers")),
    Category("shirts", 26, 1_600, 0.40, ("linen shirt", "t-shirt", "polo")),
    Category("trousers", 20, 2_500, 0.40, ("jeans", "chinos", "shorts")),
    Category("jackets", 14, 5_700, 0.50, ("rain jacket", "parka", "fleece")),
    Category("accessories", 24, 900, 0.60, ("belt", "wool hat", "sunglasses")),
    Category("bags", 14, 2_900, 0.60, ("backpack", "tote", "weekend bag")),
    Category("kitchen", 20, 1_300, 0.70, ("frying pan", "knife", "coffee grinder")),
    Category("home", 18, 1_800, 0.80, ("lamp", "cushion", "rug")),
    Category("beauty", 18, 700, 0.50, ("sun cream", "shampoo", "gift set")),
    Category("toys", 12, 1_100, 0.60, ("puzzle", "wooden train", "card game")),
    Category("sports", 8, 3_300, 0.80, ("yoga mat", "dumbbell", "tent")),
    Category("electronics", 8, 7_200, 0.90, ("headphones", "smart watch", "charger")),
)

_CHEAPEST = 199


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """One product; compared by identity, as there is one object of each."""

    product_id: str
    category: str
    price: int
    """Minor units."""


class Assortment:
    """All products of one shop, the popular ones of a category first."""

    def __init__(self, plan: ShopPlan) -> None:
        """Draw the prices of this plan's shop."""
        rng = plan.stream(Part.ASSORTMENT)
        numbers = iter(range(1, sum(category.size for category in CATEGORIES) + 1))
        self.shelves = tuple(
            tuple(Product(f"p{next(numbers):04d}", category.name, _price(category, rng)) for _ in range(category.size))
            for category in CATEGORIES
        )

    def pick(self, rng: Random, shelf: int) -> Product:
        """A product of a category; squaring a uniform figure makes the first ones several times as popular."""
        products = self.shelves[shelf]
        return products[int(len(products) * rng.random() ** 2)]


def _price(category: Category, rng: Random) -> int:
    """A log-normal price that ends in 99 minor units."""
    drawn = category.median_price * exp(rng.gauss(0, category.spread))
    return max(_CHEAPEST, round(drawn / 100) * 100 - 1)
