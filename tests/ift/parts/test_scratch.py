"""What a tour keeps on the disk: whole or not at all, within its room, inside its folder."""

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ift.errors import ImageError
from ift.parts.scratch import Scratch

CPU = torch.device("cpu")


def held(folder):
    """Bytes of all files but the tour's name."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.name != "tour.json")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_what_is_kept_comes_back(tmp_path, dtype):
    features = torch.randn(1, 6, 4, 5).to(dtype)
    tensors = {"x": features, "skip.4": features[..., :2, 1:], "mean": torch.randn(2, 6), "count": torch.ones(2)}
    assert Scratch(tmp_path).keep("state-000000-1", tensors)
    again = Scratch(tmp_path)
    assert "state-000000-1" in again
    found = again.load("state-000000-1", CPU)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)


def test_nothing_is_found_under_another_name_or_after_it_was_dropped(tmp_path):
    scratch = Scratch(tmp_path)
    scratch.keep("a", {"x": torch.ones(3)})
    assert "b" not in scratch and scratch.load("b", CPU) is None
    scratch.drop("a")
    scratch.drop("a")
    assert "a" not in scratch and scratch.load("a", CPU) is None
    assert held(tmp_path) == 0


STEPS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 4000), st.sampled_from(["keep", "keep", "drop", "reopen"])),
    max_size=25,
)


@given(room=st.integers(0, 12_000), steps=STEPS)
def test_the_disk_never_holds_more_than_the_room(room, steps):
    with tempfile.TemporaryDirectory() as name:
        folder, expected = Path(name), {}
        scratch = Scratch(folder, room)
        for key, count, action in steps:
            if action == "drop":
                scratch.drop(key)
                expected.pop(key, None)
            elif action == "reopen":
                scratch = Scratch(folder, room)
            elif scratch.keep(key, {"x": torch.full((count // 4,), float(count))}):
                expected[key] = count
            assert held(folder) <= room
        for key in "abcdef":
            found = scratch.load(key, CPU)
            assert (key in scratch) == (found is not None) == (key in expected)
            if found is not None:
                assert torch.equal(found["x"], torch.full((expected[key] // 4,), float(expected[key])))


def test_what_must_be_kept_is_kept_without_room_and_takes_room_from_the_rest(tmp_path):
    scratch = Scratch(tmp_path, 8000)
    assert scratch.keep("tally", {"x": torch.ones(1500)}, must=True)
    assert not scratch.keep("state", {"x": torch.ones(600)})
    assert scratch.keep("more", {"x": torch.ones(1500)}, must=True)
    assert {path.stem for path in tmp_path.iterdir()} == {"tally", "more"}


def test_what_is_kept_may_take_the_room_of_what_goes_for_it(tmp_path):
    scratch = Scratch(tmp_path, 8000)
    one, two = {"x": torch.ones(1200)}, {"x": torch.full((1500,), 2.0)}
    assert scratch.keep("a-0", one)
    assert not scratch.keep("a-1", two)
    assert scratch.keep("a-1", two, instead_of=["a-0", "never there"])
    assert {path.stem for path in tmp_path.iterdir()} == {"a-1"}
    assert not scratch.keep("a-2", {"x": torch.ones(4000)}, instead_of=["a-1"])
    assert torch.equal(scratch.load("a-1", CPU)["x"], two["x"])  # nothing goes for what is not kept


def test_room_that_another_has_made_is_seen(tmp_path):
    ours, others = Scratch(tmp_path, 8000), Scratch(tmp_path, 8000)
    assert ours.keep("a", {"x": torch.ones(1500)})
    assert not ours.keep("b", {"x": torch.ones(1500)})
    others.drop("a")
    assert ours.keep("b", {"x": torch.ones(1500)})


def test_room_is_a_share_of_what_is_free_on_the_disk(tmp_path):
    assert not Scratch(tmp_path, share=0.0).keep("a", {"x": torch.ones(1)})
    assert Scratch(tmp_path, share=0.5).keep("a", {"x": torch.ones(1)})


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/b/out", "..", "", "."])
def test_names_never_leave_the_folder(tmp_path, name):
    scratch = Scratch(tmp_path / "here" / "scratch")
    scratch.keep(name, {"x": torch.ones(1)}, must=True)
    assert torch.equal(scratch.load(name, CPU)["x"], torch.ones(1))
    (kept,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert kept.parent == tmp_path / "here" / "scratch"
    scratch.drop(name)
    assert not kept.exists()


@pytest.mark.parametrize("damage", ["empty", "half", "longer", "garbage", "gone"])
def test_damaged_files_are_none(tmp_path, damage):
    scratch = Scratch(tmp_path)
    scratch.keep("a", {"x": torch.arange(1000)})
    (path,) = tmp_path.glob("*.safetensors")
    data = path.read_bytes()
    path.unlink()
    contents = {"empty": b"", "half": data[: len(data) // 2], "longer": data + b"x", "garbage": bytes(range(256)) * 40}
    if damage in contents:
        path.write_bytes(contents[damage])
    for each in (scratch, Scratch(tmp_path)):
        assert each.load("a", CPU) is None
        assert "a" not in each
        assert each.load("a", CPU) is None


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    (tmp_path / "0123.part").write_bytes(b"half")
    Scratch(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_same_tour_is_found_again_and_another_one_thrown_away(tmp_path):
    for tour, expected in [({"a": 1, "b": 2}, []), ({"b": 2, "a": 1}, ["x"]), ({"a": 1, "b": 3}, [])]:
        scratch = Scratch(tmp_path)
        scratch.begin(tour)
        assert [name for name in ["x"] if name in scratch] == expected
        assert sorted(path.stem for path in tmp_path.glob("*.safetensors")) == expected
        scratch.keep("x", {"x": torch.ones(1)})


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00"])
def test_a_damaged_name_of_the_tour_is_another_tour(tmp_path, content):
    scratch = Scratch(tmp_path)
    scratch.begin({"a": 1})
    scratch.keep("x", {"x": torch.ones(1)})
    (tmp_path / "tour.json").write_bytes(content)
    again = Scratch(tmp_path)
    again.begin({"a": 1})
    assert "x" not in again and held(tmp_path) == 0


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match="file cannot be used for scratch files"):
        Scratch(tmp_path / "file")


def test_a_folder_that_is_gone_is_named_where_something_must_be_kept(tmp_path):
    scratch = Scratch(tmp_path / "scratch")
    (tmp_path / "scratch").rmdir()
    assert not scratch.keep("a", {"x": torch.ones(1)})
    with pytest.raises(ImageError, match="scratch cannot hold more scratch files"):
        scratch.keep("a", {"x": torch.ones(1)}, must=True)
