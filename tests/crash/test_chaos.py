"""A thousand jobs while whatever runs is killed, stopped and interrupted; `python -m tests.chaos` is the long run of it."""

import itertools

import pytest

from chaos.plan import orders
from chaos.run import Run
from chaos.violence import Strength

#: Of the short run; another one is as good.
SEED = 12


def test_the_same_seed_client_and_life_give_the_same_orders_and_others_give_others():
    first, again, other = (list(itertools.islice(orders(SEED, 0, life), 200)) for life in (0, 0, 1))
    assert first == again
    assert [order.target for order in first] != [order.target for order in other]


@pytest.mark.timeout(400)
def test_every_promise_is_kept_while_everything_is_killed_stopped_and_interrupted(tmp_path):
    result = Run(tmp_path, 1000, SEED, Strength(rate=4.0), limit=120.0).go()
    print(f"seed {SEED}, folder {tmp_path}\n{result.figures.table()}")  # what pytest shows of a failure
    assert not result.violations, "\n".join(map(str, result.violations))
    assert result.figures.values["blows"] > 20
    assert result.figures.values["jobs"] > 300  # of a thousand, where the machine is slow
