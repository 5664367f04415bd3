"""Where to compute, for tests that are to hold on a GPU as well."""

import pytest
import torch

ON_A_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
DEVICES = ["cpu", pytest.param("cuda", marks=ON_A_GPU)]
