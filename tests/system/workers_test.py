import os
import threading
import time

import pytest

from musicvae_jax.system import workers
from musicvae_jax.system.workers import WorkerFailure


def double(number):
    """Doubles most numbers; some hang, die, or ask for a terabyte."""
    if number == 13:
        os._exit(11)
    if number == 27:
        time.sleep(60)
    if number == 40:
        bytearray(1 << 40)
    return 2 * number


def run(numbers, **kwargs):
    return list(
        workers.map_in_processes(double, iter(numbers), "doubling", total=len(numbers), **kwargs)
    )


def test_a_bad_item_costs_only_itself_and_the_order_stays():
    results = run(range(100), timeout_sec=3.0, num_workers=2)
    failures = {n: r.reason for n, r in enumerate(results) if isinstance(r, WorkerFailure)}
    assert failures == {
        13: "brought the reader down",
        27: "took too long to read",
        40: "needs too much memory to read",
    }
    assert all(r == 2 * n for n, r in enumerate(results) if n not in failures)


def test_nobody_waits_for_a_pool_that_is_closed():
    pool, found = workers.SafePool(1, 60.0), []
    waiting = threading.Thread(target=lambda: found.extend(pool.map(double, [27], 1)), daemon=True)
    waiting.start()
    time.sleep(0.2)  # in which the item is handed over
    pool.close()
    waiting.join(60)
    assert found == [WorkerFailure("is not read any more")]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_items(count):
    assert run(range(count)) == [2 * n for n in range(count)]


def test_items_are_read_only_as_they_are_needed():
    read = []

    def source():
        for number in range(41, 10_041):
            read.append(number)
            yield number

    results = workers.map_in_processes(double, source(), "doubling", 10_000, num_workers=2)
    assert [next(results) for _ in range(3)] == [82, 84, 86]
    assert len(read) < 200
    results.close()
