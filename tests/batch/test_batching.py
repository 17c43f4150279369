"""Batches fill from mixed inputs, and shrink when memory is short."""

import pytest
import torch

from omnialpha_cli.batch.pipeline import in_fitting_parts, take_batch


def taken(items: str, limit: int) -> list[str]:
    """The batches of items, one kind a letter, that wait in this order."""
    waiting, batches = list(items), []
    while waiting:
        batches.append("".join(take_batch(waiting, limit, str)))
    return batches


def test_a_batch_holds_one_kind_only():
    assert taken("abab", limit=4) == ["aa", "bb"]


def test_a_full_batch_goes_first():
    assert taken("abbc", limit=2) == ["bb", "a", "c"]


def test_what_waits_longest_goes_next():
    assert taken("aaabbb", limit=2) == ["aa", "bb", "a", "b"]


def test_nothing_is_taken_where_nothing_waits():
    assert take_batch([], 4, str) == []


def parts_of(batch, fault, fails):
    """Sizes that were tried and did not fit, and the outcome of every part."""
    too_large = []

    def compute(part):
        if fails(part):
            raise fault
        yield part, [item * 10 for item in part]

    outcomes = list(in_fitting_parts(compute, batch, too_large.append))
    return too_large, outcomes


SHORT_OF_MEMORY = [torch.OutOfMemoryError("x"), MemoryError(), RuntimeError("can't allocate memory: 1")]


@pytest.mark.parametrize("fault", SHORT_OF_MEMORY, ids=lambda fault: type(fault).__name__)
def test_without_memory_a_batch_is_halved_until_it_fits(fault):
    too_large, outcomes = parts_of([1, 2, 3, 4, 5], fault, lambda part: len(part) > 2)
    assert outcomes == [([1, 2], [10, 20]), ([3], [30]), ([4, 5], [40, 50])]
    assert too_large == [5, 3]


def test_an_item_too_large_alone_fails_alone():
    fault = MemoryError("no room")
    _, outcomes = parts_of([1, 2, 3], fault, lambda part: 2 in part)
    assert outcomes == [([1], [10]), ([2], fault), ([3], [30])]


def test_another_fault_is_pinned_to_its_item_without_lowering_the_limit():
    fault = ValueError("bad item")
    too_large, outcomes = parts_of([1, 2, 3, 4], fault, lambda part: 3 in part)
    assert outcomes == [([1, 2], [10, 20]), ([3], fault), ([4], [40])]
    assert too_large == []


def test_what_was_done_before_the_fault_is_not_done_again():
    done = []

    def compute(window):
        for start in range(0, len(window), 2):
            batch = window[start : start + 2]
            if 5 in batch and len(window) > 1:
                raise MemoryError
            done.extend(batch)
            yield batch, batch

    too_large = []
    outcomes = list(in_fitting_parts(compute, [1, 2, 3, 4, 5, 6, 7], too_large.append))
    assert done == [1, 2, 3, 4, 5, 6, 7] and too_large == [3]
    assert [part for part, _ in outcomes] == [[1, 2], [3, 4], [5], [6, 7]]
