"""Strategies: rules of the language, valid by construction, over the durations in `DURATIONS`."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schemas.instants import DAY, MINUTE, Duration
from streams.core.definitions import Definitions, compile_definitions

DURATIONS: dict[str, Duration] = {
    "days(0)": 0,
    "minutes(60)": 60 * MINUTE,
    "days(7)": 7 * DAY,
    "days(30)": 30 * DAY,
    "hours(2160)": 90 * DAY,
}
"""As written in a rule -> how long."""

_durations = st.sampled_from(sorted(DURATIONS))
_orders = st.sampled_from(["<", "<=", ">", ">="])
_symbols = _orders | st.sampled_from(["==", "!="])
_small = st.integers(0, 4).map(str)
_instants = st.sampled_from(
    [
        "orders.first_at",
        "orders.last_at",
        "cart.updated_at",
        "site.last_at",
        "engagement.last_at",
        "email.subscribed_at",
        "support.csat_at",
        "profile.seen_at",
    ]
)
_windows = st.builds(lambda duration: f", within={duration}", _durations)
_series = st.sampled_from(["orders", "visits", "contacts"])
_counts = st.builds(lambda series, window: f"count({series}{window})", _series, _windows) | st.builds(
    lambda window: f'count(contacts, topic="delivery"{window})', _windows
)
_plain_numbers = st.sampled_from(["orders.count", "cart.items", "support.csat"])
_numbers = _plain_numbers | _counts
_addends = _plain_numbers | st.builds(lambda window: f"count(orders{window})", _windows)
_sums = st.builds(lambda window: f"sum(orders.total{window})", _windows | st.just(""))
_money = st.sampled_from(["orders.spend", "orders.average"]) | _sums | st.just("mean(orders.total, within=days(30))")
_moods = st.builds(
    lambda last, window: f"mean(contacts.sentiment{last}{window})",
    st.sampled_from(["", ", last=1", ", last=3"]),
    _windows,
)
_truths = st.sampled_from(
    [
        "email.subscribed",
        "is_set(orders.last_at)",
        "is_set(mean(contacts.sentiment, within=days(7)))",
        "is_set(since(site.last_at))",
        'attribute("tier") == 3',
        'attribute("country") in ("GB", "IE")',
        'attribute("country") not in ("GB",)',
        'bucket("b") < 0.5',
        "True",
    ]
)


def _joined(*parts: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.tuples(*parts).map(" ".join)


_clauses = st.one_of(
    _joined(st.builds(lambda at: f"since({at})", _instants), _orders, _durations),
    _joined(_durations, _orders, st.builds(lambda at: f"since({at})", _instants)),
    _joined(_durations, st.sampled_from(["<", "<="]), st.builds(lambda at: f"since({at}) < days(30)", _instants)),
    _joined(_instants, _symbols, _instants),
    _joined(_numbers, _symbols, _small),
    _joined(_small, _symbols, _counts),
    _joined(_counts, _symbols, _counts),
    _joined(_addends, st.sampled_from(["+", "-", "*", "/"]), _addends, _symbols, _small),
    _joined(_money, _symbols, st.sampled_from(["0", "60", "166.67", "300"])),
    _joined(_money, _symbols, _money),
    _joined(_money, st.just("/"), _addends, _symbols, st.sampled_from(["60", "100.005"])),
    _joined(_moods, _orders, st.sampled_from(["-0.3", "0"])),
    _joined(_truths),
)


def _references(keys: list[str]) -> SearchStrategy[str]:
    return st.builds(
        lambda key, rest: f'segment("{key}"){rest}',
        st.sampled_from(keys),
        st.sampled_from(["", "", " == True", " != True"]),
    )


def rules(keys: list[str] | None = None) -> SearchStrategy[str]:
    """A rule; it may refer to the segments in `keys`."""
    leaves = _clauses | _references(keys) if keys else _clauses
    return st.recursive(
        leaves,
        lambda part: st.one_of(
            st.builds(lambda a, b: f"({a} and {b})", part, part),
            st.builds(lambda a, b: f"({a} or {b})", part, part),
            st.builds(lambda a: f"not ({a})", part),
        ),
        max_leaves=5,
    )


@st.composite
def definition_sets(draw: st.DrawFn) -> Definitions:
    """Three segments, of which the later ones may refer to the earlier ones."""
    keys: list[str] = []
    text = "version = 1\n"
    for key in ("one", "two", "three"):
        text += f"[segments.{key}]\ntitle = \"{key}\"\nwhen = '{draw(rules(keys))}'\n"
        keys.append(key)
    return compile_definitions(text)
