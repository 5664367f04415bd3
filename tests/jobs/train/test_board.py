"""What the driver learns of its workers, and when they are to stop."""

import pytest

from jobs.errors import JobError
from jobs.train.board import ATTEMPTS, LEASH, Board


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_photo_is_told_of_once_and_remembered_over_a_resume():
    board = Board()
    board.attempt()
    board.begin(7, {"old.jpg": "old.jpg is empty"})
    for name in ("old.jpg", "new.jpg", "new.jpg"):
        board.skip(name, f"{name} is empty")
    assert board.progress().notes == ("going on from step 7", "skipped new.jpg is empty")
    assert board.progress().notes == ()
    assert board.unreadable() == {name: f"{name} is empty" for name in ("new.jpg", "old.jpg")}


def test_workers_that_fail_again_and_again_without_a_checkpoint_are_given_up():
    board = Board()
    for _ in range(ATTEMPTS):
        assert board.attempt()
        board.begin(5, {})
        board.set_back("it failed: RuntimeError: cause")
        board.set_back("it failed: RuntimeError: connection closed by peer")
    assert not board.attempt()
    failure = board.progress().failure
    assert isinstance(failure, JobError) and "cause" in str(failure) and "peer" not in str(failure)


def test_a_new_checkpoint_forgives_what_was_before():
    board = Board()
    for step in range(10 * ATTEMPTS):
        assert board.attempt()
        board.begin(step, {})
        board.tell(step + 1, 0.5)
        board.saved(step + 1)
    assert board.progress().failure is None and board.progress().step == step + 1


def test_the_same_checkpoint_again_is_no_progress():
    board = Board()
    for _ in range(ATTEMPTS):
        assert board.attempt()
        board.begin(0, {})
        board.saved(0)
    assert not board.attempt()


def test_workers_stop_when_told_and_are_not_started_again():
    board = Board()
    assert board.attempt() and not board.tell(1, 0.5)
    board.stop()
    assert board.tell(2, 0.5) and not board.attempt()
    assert board.progress().failure is None


def test_workers_stop_when_nobody_listens_any_more():
    clock = Clock()
    board = Board(clock)
    for clock.now in (0.9 * LEASH, 1.8 * LEASH):
        assert not board.tell(1, 0.5)
        board.progress()
    clock.now += 1.1 * LEASH
    assert board.tell(2, 0.5)
    assert "--resume" in str(board.progress().failure)


def test_the_first_failure_is_the_one_to_mend():
    board = Board()
    board.fail(JobError("first"))
    board.fail(JobError("second"))
    assert str(board.progress().failure) == "first" and not board.attempt()


def test_the_loss_that_is_shown_is_smooth():
    board = Board()
    assert board.progress().loss is None
    for step in range(400):
        board.tell(step + 1, 2.0 if step % 2 else 4.0)
    assert board.progress().loss == pytest.approx(3, abs=0.1)
