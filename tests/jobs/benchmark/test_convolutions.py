import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from jobs.benchmark.convolutions import BareConvolutions, MatrixProducts
from jobs.benchmark.networks import Networks


def counted(call):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call()
    return counter.get_total_flops()


@pytest.mark.parametrize("side", [32, 64])
def test_the_bare_convolutions_are_all_that_a_picture_meets(side):
    networks = Networks.load()

    def whole_picture():
        x = torch.rand(1, 3, side, side)
        for level in (1, 2, 3, 4):
            x = networks.encode(level, x)
        for level in (4, 3, 2, 1):
            x = networks.decode(level, x)
        assert x.shape == (1, 3, side, side)

    bare = BareConvolutions(networks, side)
    assert bare.flop == counted(bare) == counted(whole_picture)


def test_the_networks_are_those_of_the_model(bench):
    picture = bench.content(48).unsqueeze(0)
    networks, model = Networks.load(), bench.float32
    with torch.inference_mode():
        x = y = picture
        for level in (1, 2, 3, 4):
            x, (y, _) = networks.encode(level, x), model.encoder.stage(level, y)
            assert (x - y).norm() < 1e-4 * y.norm()
        for level in (4, 3, 2, 1):
            x, y = networks.decode(level, x), model.decoder.block(level, y)
            assert (x - y).norm() < 1e-4 * y.norm()


def test_the_bare_convolutions_keep_precision_and_memory_format():
    bare = BareConvolutions(Networks.load(dtype=torch.bfloat16, memory_format=torch.channels_last), 32)
    for x in bare._inputs.values():
        assert x.dtype == torch.bfloat16 and x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("times", [1, 5])
def test_matrix_products_make_up_the_work(times):
    products = MatrixProducts(48, times * 2 * 48**3 + 1000, torch.float32, torch.device("cpu"))
    assert products.flop == counted(products) == times * 2 * 48**3
