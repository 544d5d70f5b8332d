"""Items made in another thread come in order, a few at a time, with their maker's error."""

import threading

import pytest

from slam.sight.ahead import PICTURES, ahead


def test_items_come_in_order_and_no_more_than_a_few_are_made_beforehand():
    made = []

    def items():
        for item in range(50):
            made.append((item, threading.get_ident()))
            yield item

    for taken, item in enumerate(ahead(items())):
        assert item == taken
        assert len(made) <= taken + 1 + PICTURES
    assert taken == 49
    assert threading.get_ident() not in {thread for _, thread in made}


def test_an_error_of_the_maker_is_raised_after_what_it_made():
    def items():
        yield "first"
        raise ValueError("cut off")

    coming = ahead(items())
    assert next(coming) == "first"
    with pytest.raises(ValueError, match="cut off"):
        next(coming)
