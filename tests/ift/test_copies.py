from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from ift.copies import Fetched, Sent
from tests.devices import DEVICES, ON_A_GPU

CPU = torch.device("cpu")


def test_on_a_cpu_nothing_is_copied():
    picture = torch.rand(3, 4, 5)
    assert Sent(picture, CPU).get() is picture
    assert Fetched(picture).get() is picture


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_sent_and_fetched_by_threads_is_what_was_computed(device):
    """More than fits any buffer, so that memory is used again while copies are on their way."""
    device = torch.empty(0, device=device).device
    pictures = [torch.full((3, 512, 512), float(number)) for number in range(40)]
    with ThreadPoolExecutor(2) as threads:
        sent = threads.map(lambda picture: Sent(picture.clone(), device), pictures)
        results = []
        for each in sent:
            assert each.shape == (3, 512, 512)
            result = each.get() * 2 + 1
            assert result.device == device
            results.append(threads.submit(lambda fetched: fetched.get().clone(), Fetched(result)))
            del result
        for picture, result in zip(pictures, results, strict=True):
            assert torch.equal(result.result(), picture * 2 + 1)


@ON_A_GPU
def test_with_no_room_on_the_gpu_it_is_copied_when_it_is_wanted():
    device = torch.device("cuda", 0)
    torch.cuda.set_per_process_memory_fraction(1e-9, device)
    try:
        torch.cuda.empty_cache()
        sent = Sent(torch.ones(3, 4096, 4096), device)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    assert bool((sent.get() == 1).all())
