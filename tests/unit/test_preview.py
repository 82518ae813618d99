"""`streams.core.preview` and what may be published: an edit is known before it is made."""

import pytest

from schemas.definitions import CurrencyTable
from schemas.instants import DAY
from streams.core.definitions import Definitions, compile_definitions
from streams.core.library import says_the_same
from streams.core.preview import Preview
from streams.core.profile import Profile
from streams.editing import currency_fault
from tests.properties.logs import fed
from tests.scenarios.events import START, bought, viewed
from tests.scenarios.story import shipped


def definitions(**rules: str) -> Definitions:
    """Segments with these rules."""
    return compile_definitions(file(**rules))


def file(**rules: str) -> str:
    """A definitions file."""
    return "".join(f"[segments.{key}]\ntitle = '{key}'\nwhen = '{when}'\n" for key, when in rules.items())


def buyer(name: str, orders: int) -> Profile:
    """Somebody who ordered so often, a day apart."""
    events = [bought(number * DAY, f"o{number}") for number in range(orders)] or [viewed(0)]
    profile = fed([{**event, "customer_id": name} for event in events], shipped(), START + 9 * DAY)[0].profile
    profile.id = name
    return profile


def test_a_preview_counts_who_would_join_and_leave_and_names_the_first_of_them() -> None:
    current = definitions(loyal="orders.count >= 3", old="orders.count >= 1", stays="orders.count >= 2")
    other = definitions(loyal="orders.count >= 2", fresh="orders.count == 0", stays=" orders.count >= 2")
    preview = Preview(current, other, examples=2)
    for number in range(5):
        preview.look(buyer(f"c{4 - number}", number), START + 10 * DAY)
    rows = {
        key: (one.edit, one.now, one.joining.count, one.leaving.count, one.then)
        for key, one in preview.segments.items()
    }
    assert rows == {
        "loyal": ("changed", 2, 1, 0, 3),
        "old": ("removed", 4, 0, 4, 0),
        "stays": ("same", 3, 0, 0, 3),
        "fresh": ("new", 0, 1, 0, 1),
    }
    assert preview.segments["old"].leaving.examples == ["c0", "c1"]
    assert preview.segments["fresh"].joining.examples == ["c4"]
    assert preview.customers == 5


def test_a_rule_that_refers_to_another_may_be_changed_by_that_one_alone() -> None:
    current = definitions(a='segment("b")', b="orders.count >= 1")
    other = definitions(a='segment("b")', b="orders.count >= 2")
    preview = Preview(current, other, examples=2)
    preview.look(buyer("ann", 1), START + 10 * DAY)
    assert preview.segments["a"].leaving.examples == ["ann"]


def test_a_crossing_that_is_merely_due_is_nobodys_change() -> None:
    rule = "since(orders.last_at) >= days(30)"
    preview = Preview(definitions(a=rule), definitions(a=rule + " and orders.count >= 1"), examples=2)
    preview.look(buyer("ann", 1), START + 100 * DAY)
    assert (preview.segments["a"].now, preview.segments["a"].joining.count) == (1, 0)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (file(a="orders.count >= 1"), True),
        ("version = 7\n" + file(a="orders.count >= 1") + "\n# a comment\n", True),
        (file(a="orders.count >= 2"), False),
        (file(a="orders.count >= 1", b="orders.count >= 2"), False),
        ('[currency]\nbase = "EUR"\n' + file(a="orders.count >= 1"), False),
    ],
)
def test_two_files_are_the_same_if_they_come_to_the_same(other: str, same: bool) -> None:  # noqa: FBT001 # a table
    assert says_the_same(file(a="orders.count >= 1"), other) is same


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ({"base": "GBP", "rates": {"EUR": "0.86"}}, None),
        ({"base": "GBP", "rates": {"EUR": "0.86", "USD": "0.75"}}, None),
        ({"base": "EUR"}, "the base currency would be EUR, not GBP"),
        ({"base": "GBP", "rates": {"EUR": "0.87"}}, "the rate of EUR would be another"),
        ({"base": "GBP", "rates": {}}, "the rate of EUR would be another"),
    ],
)
def test_amounts_that_are_stored_are_not_to_mean_something_else(new: dict[str, object], says: str | None) -> None:
    old = CurrencyTable.model_validate({"base": "GBP", "rates": {"EUR": "0.86"}})
    found = currency_fault(old, CurrencyTable.model_validate(new))
    assert found is None if says is None else str(found).startswith(says)
