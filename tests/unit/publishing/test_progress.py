"""How far a webhook is: never past what is still on its way."""

from hypothesis import given
from hypothesis import strategies as st

from airy_ray.publishing.progress import Progress


def test_it_stands_before_the_first_that_is_on_its_way() -> None:
    progress = Progress(10)
    for sequence in (12, 12, 15):
        progress.begin(sequence)
    progress.read_to(20)
    progress.finish(15)
    progress.finish(12)

    assert progress.place == 12
    progress.finish(12)
    assert progress.place == 20


@given(counts=st.lists(st.integers(1, 3), max_size=20), data=st.data())
def test_nothing_that_is_on_its_way_is_gone_past_and_in_the_end_all_is(
    counts: list[int], data: st.DataObject
) -> None:
    progress = Progress(0)
    left = [sequence for sequence, count in enumerate(counts, 1) for _ in range(count)]
    for sequence in left:
        progress.begin(sequence)
    progress.read_to(len(counts) + 1)
    for sequence in data.draw(st.permutations(left)):
        assert progress.place == min(left)
        progress.finish(sequence)
        left.remove(sequence)

    assert progress.place == len(counts) + 1
