"""Chance fetched in stock is given once, in the whole range."""

from threading import Thread

from headend.surrounding import StockedRandom


def test_bits_are_in_range_and_of_every_value() -> None:
    random = StockedRandom()
    for bits in (1, 7, 64, 128, 129, 500):
        numbers = [random.getrandbits(bits) for _ in range(200)]
        assert all(0 <= number < 1 << bits for number in numbers)
        assert max(numbers) >> (bits - 1) == 1


def test_no_piece_is_given_twice_to_threads_that_ask_at_once() -> None:
    random = StockedRandom()
    given: list[list[int]] = [[] for _ in range(4)]
    threads = [Thread(target=lambda mine=mine: mine.extend(random.getrandbits(128) for _ in range(5_000))) for mine in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({number for mine in given for number in mine}) == 20_000
