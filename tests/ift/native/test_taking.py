import ctypes

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import ir

from ift.native.code import INDEX, begin, index
from ift.native.machine_code import MachineCode
from ift.native.processor import this_blocking
from ift.native.team import together
from tests.blockings import BLOCKINGS

pytestmark = pytest.mark.skipif(this_blocking() is None, reason="not a processor that it is written for")


class Order(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("times", "next", "block", "stop", "threads", "next_block")]


@pytest.fixture(scope="module")
def program():
    """Counts how often each number is taken, and says what was to follow each block."""
    module = ir.Module()
    code, fields = begin(module, "count", BLOCKINGS[0], Order)
    build = code.builder
    times, following = (fields.pointer(name, INDEX.as_pointer()) for name in ("times", "next"))
    block, stop, threads = (fields.number(name) for name in ("block", "stop", "threads"))
    with code.until_taken_ahead(fields, "next_block", block, stop, threads) as (first, count, ahead):
        build.store(ahead, code.at(following, first))
        with code.loop(count, 1) as (i, _):
            place = code.at(times, build.add(first, i))
            build.store(build.add(build.load(place), index(1)), place)
    build.ret_void()
    return MachineCode(module, "count")


@given(stop=st.integers(0, 2000), block=st.integers(1, 40), threads=st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_every_block_is_taken_once(program, stop, block, threads):
    times, following = torch.zeros(stop + 1, dtype=torch.int64), torch.full((stop + 1,), -1)
    order = Order(times=times.data_ptr(), next=following.data_ptr(), block=block, stop=stop, threads=threads)
    together(program, ctypes.addressof(order), threads)
    assert times[:-1].eq(1).all()
    assert times[-1] == 0
    blocks = following[:stop:block]
    assert ((blocks >= 0) & (blocks < max(stop, 1))).all()
    assert following[-1] == -1


def test_one_thread_knows_what_comes_next_while_more_than_one_block_is_left(program):
    times, following = torch.zeros(100, dtype=torch.int64), torch.full((100,), -1)
    order = Order(times=times.data_ptr(), next=following.data_ptr(), block=10, stop=95, threads=1)
    together(program, ctypes.addressof(order), 1)
    assert following[:95:10].tolist() == [10, 20, 30, 40, 50, 60, 70, 80, 80, 90]


def test_a_thread_takes_no_second_block_while_others_have_none(program):
    times, following = torch.zeros(2, dtype=torch.int64), torch.full((2,), -1)
    order = Order(times=times.data_ptr(), next=following.data_ptr(), block=1, stop=2, threads=2)
    together(program, ctypes.addressof(order), 1)  # the other comes late: both are here, but one after the other
    assert following.tolist() == [0, 1]
