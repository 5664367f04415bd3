"""Groups: who belongs together, and under which name."""

import dataclasses

import pytest

from ift import Settings
from jobs.parts.group import Member, groups_of
from jobs.plan import PlannedPair

PAIR = PlannedPair(
    row=0, pair_id="a", content="/a.png", styles=("/s.png",), style_weights=(1.0,), content_mask=None,
    style_masks=(None,), resolution=None, style_resolution=None, output="images/a.png", method="ift",
    preset="artistic", settings=Settings.from_options("artistic").to_json(),
)  # fmt: skip


def members(*groups, fingerprint="f" * 64):
    pairs = (dataclasses.replace(PAIR, row=row, group=group) for row, group in enumerate(groups))
    return [Member(0, fingerprint, pair, 40, 64) for pair in pairs]


def names(of):
    return [group.name for group in groups_of(of, tile=128, whole=10_000, phases=1)]


def test_rows_of_one_group_are_together_and_others_by_themselves():
    made = groups_of(members("a", None, "b", "a", None), tile=128, whole=10_000, phases=1)
    assert [[member.pair.row for member in group.members] for group in made] == [[0, 3], [1], [2], [4]]
    assert len({group.name for group in made}) == 4


def test_names_tell_apart_all_that_decides_the_statistics():
    """What a node has kept of a run that was thrown away must not be taken for that of another in its place."""
    first = members("a", "a")
    assert names(first) == names(list(reversed(first)))
    others = [
        members("a", "a", fingerprint="e" * 64),
        members("a", "a", "a"),
        [first[0], dataclasses.replace(first[1], height=48)],
    ]
    assert len({name for some in (first, *others) for name in names(some)}) == 4


@pytest.mark.parametrize(("group", "expected"), [("a", 3), (None, 1)])
def test_only_frames_of_a_group_have_phases(group, expected):
    (made,) = groups_of(members(group), tile=128, whole=10_000, phases=3)
    shifts = [shift for _, _, shift, _ in made.parts()]
    assert len(shifts) == len(set(shifts)) == made.phases == expected
    assert [part.size for _, _, _, part in made.parts()] == [(40 + down, 64 + right) for down, right in shifts]
    assert [number for _, number, _, _ in made.parts()] == list(range(expected))
