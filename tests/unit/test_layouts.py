"""Stored profiles of every layout that there ever was can be read, and are stored anew in the present one."""

import pytest

from schemas.instants import DAY, HOUR, MINUTE
from streams.core.codec import LAYOUT, pack, unpack
from streams.core.layouts import UPGRADES
from streams.core.profile import Profile
from tests.scenarios.events import START

STORED = {
    1: bytes.fromhex(
        "9901cf00064f0fd3fde70083a26f3192cf0006474846204000cd2710a26f3294cf00064d91996e4000cd13bacf00064d9270"
        "01e400cd17a2a26f3395c000c000c381a2723193cf00064da5b745a00032a26f3294cf00064d91996e4000cf000000010000"
        "0000c09294cf00064f0fd06a6000ced210ed21a1700294cf00064f0fd3fde700cea517ddb7a1710196cf00064df62ea32000"
        "ce03938700cf00064ebf590ce00000cf00064f0fd06a6000ce0393870093cf00064811708a0000c0cf00064ed376e4400093"
        "82a2633193cf000648da9af3c000a864656c6976657279cbbff0000000000000a2633293cf00064e5ac3d80000a864656c69"
        "76657279cb3fe0000000000000cf00064e82ff86c0000482a7636f756e74727992cf00064e971d5e2000a24742a474696572"
        "92cf00064e971d5e200003"
    ),
    2: bytes.fromhex(
        "9802cf00064f0fd3fde7009283a26f3192cf0006474846204000cd2710a26f3294cf00064d91996e4000cd13bacf00064d92"
        "7001e400cd17a2a26f3395c000c000c381a2723193cf00064da5b745a00032a26f3294cf00064d91996e4000cf0000000100"
        "000000c09294cf00064f0fd06a6000ced210ed21a1700294cf00064f0fd3fde700cea517ddb7a17101c42100064df62ea320"
        "00808ece1c00064ebf590ce0000000064f0fd06a6000808ece1c93cf00064811708a0000c0cf00064ed376e440009382a263"
        "3193cf000648da9af3c000a864656c6976657279cbbff0000000000000a2633293cf00064e5ac3d80000a864656c69766572"
        "79cb3fe0000000000000cf00064e82ff86c0000482a7636f756e74727992cf00064e971d5e2000a24742a47469657292cf00"
        "064e971d5e200003"
    ),
    3: bytes.fromhex(
        "9803c09283a26f3192cf0006474846204000cd2710a26f3294cf00064d91996e4000cd13bacf00064d927001e400cd17a2a2"
        "6f3395c000c000c381a2723193cf00064da5b745a00032a26f3294cf00064d91996e4000cf0000000100000000c09294cf00"
        "064f0fd06a6000ced210ed21a1700294cf00064f0fd3fde700cea517ddb7a17101c41d00064df62ea32000400393870005c9"
        "26d639004550775d80000393870093cf00064811708a0000c0cf00064ed376e440009382a2633193cf000648da9af3c000a8"
        "64656c6976657279cbbff0000000000000a2633293cf00064e5ac3d80000a864656c6976657279cb3fe0000000000000cf00"
        "064e82ff86c0000482a7636f756e74727992cf00064e971d5e2000a24742a47469657292cf00064e971d5e200003"
    ),
}
"""Layout -> one and the same customer, as the program of its time stored her."""


def test_there_is_an_example_of_every_layout() -> None:
    assert set(STORED) == {*UPGRADES, LAYOUT}
    assert [stored[1] for stored in STORED.values()] == list(STORED)


@pytest.mark.parametrize("layout", STORED)
def test_a_profile_of_any_layout_tells_the_same(layout: int) -> None:
    ann = unpack("ann", STORED[layout])
    assert ann == unpack("ann", STORED[LAYOUT])
    assert (ann.orders.count, ann.orders.spend) == (2, 160_00)
    assert ann.orders.last_at == START + 80 * DAY
    assert set(ann.orders.by_id) == {"o1", "o2", "o3"}
    assert (ann.cart.items, ann.cart.updated_at) == (3, START + 99 * DAY + MINUTE)
    assert [last - first for first, last in ann.visits.runs] == [MINUTE, 0, MINUTE]
    assert ann.email.subscribed
    assert ann.engaged_at == START + 99 * DAY + MINUTE
    assert (ann.support.csat, len(ann.support.ordered)) == (4, 2)
    assert {name: value for name, (_at, value) in ann.attributes.items()} == {"country": "GB", "tier": 3}
    assert ann.orders.by_id["o2"].updated_at == START + 80 * DAY + HOUR


@pytest.mark.parametrize("layout", STORED)
def test_a_profile_of_any_layout_is_stored_in_the_present_one(layout: int) -> None:
    assert pack(unpack("ann", STORED[layout])) == STORED[LAYOUT]


def test_a_rating_that_was_never_given_was_a_0_once() -> None:
    stored = bytes.fromhex(
        "9901" + "cf00064f0fd3fde700" + "c0" * 5 + "93" + "81a16b93" + "cf00064f0fd3fde700" + "c0c0" + "c000" + "c0"
    )
    assert unpack("ann", stored).support.csat is None
    assert isinstance(unpack("ann", stored), Profile)
