import pytest

from jobs.actor import Fleet, plan_fleet
from jobs.errors import JobError


@pytest.mark.parametrize(
    ("resources", "workers", "gpus", "fleet"),
    [
        ({"CPU": 2.0}, None, None, Fleet(1, 2, 0.0)),
        ({"CPU": 16.0}, None, None, Fleet(8, 2, 0.0)),
        ({"CPU": 1.0}, None, None, Fleet(1, 1, 0.0)),
        ({"CPU": 2.0}, 2, None, Fleet(2, 1, 0.0)),
        ({"CPU": 16.0, "GPU": 4.0}, None, None, Fleet(4, 4, 1.0)),
        ({"CPU": 16.0, "GPU": 4.0}, None, 0.5, Fleet(8, 2, 0.5)),
        ({"CPU": 16.0, "GPU": 4.0}, 2, None, Fleet(2, 8, 1.0)),
        ({"CPU": 16.0, "GPU": 4.0}, None, 0.0, Fleet(8, 2, 0.0)),
        ({}, None, None, Fleet(1, 1, 0.0)),
    ],
)
def test_the_fleet_fits_the_cluster(resources, workers, gpus, fleet):
    assert plan_fleet([resources], workers, gpus) == fleet


@pytest.mark.parametrize(
    ("nodes", "workers", "gpus", "fleet"),
    [
        # Two of three CPUs each would be no more than the sum, and would wait for ever.
        ([{"CPU": 2.0}] * 3, 2, None, Fleet(2, 2, 0.0)),
        ([{"CPU": 4.0}] * 3, 2, None, Fleet(2, 4, 0.0)),
        ([{"CPU": 4.0}] * 3, 4, None, Fleet(4, 2, 0.0)),
        ([{"CPU": 3.0}] * 2, None, None, Fleet(2, 3, 0.0)),
        ([{"CPU": 8.0}, {"CPU": 2.0}], 3, None, Fleet(3, 2, 0.0)),
        ([{"memory": 1e9}, {"CPU": 2.0}], None, None, Fleet(1, 2, 0.0)),  # a head without CPUs
        ([{"memory": 1e9}], 8, 1.0, Fleet(8, 1, 1.0)),  # all nodes are still to come
        ([{"memory": 1e9}], None, 1.0, Fleet(1, 1, 1.0)),
        ([{"memory": 1e9}, {"CPU": 4.0, "GPU": 1.0}], 8, 1.0, Fleet(8, 1, 1.0)),  # all but one
        ([{"memory": 1e9}, {"CPU": 4.0, "GPU": 1.0}], 1, 1.0, Fleet(1, 4, 1.0)),
        ([{"CPU": 4.0}, {"CPU": 8.0, "GPU": 2.0}], None, None, Fleet(2, 4, 1.0)),
        ([{"CPU": 8.0, "GPU": 1.0}] * 3, None, 0.3, Fleet(9, 2, 0.3)),
        ([{"CPU": 2.0, "memory": 16e9}], None, None, Fleet(2, 1, 0.0, 8_000_000_000)),
        ([{"CPU": 2.0, "memory": 5e9}], None, None, Fleet(1, 2, 0.0, 5_000_000_000)),
        ([{"CPU": 4.0, "memory": 8e9}, {"CPU": 4.0, "memory": 4e9}], None, None, Fleet(4, 2, 0.0, 2_000_000_000)),
        ([{"CPU": 4.0, "memory": 8e9}, {"CPU": 4.0, "memory": 4e9}], 1, None, Fleet(1, 4, 0.0, 4_000_000_000)),
    ],
)
def test_every_worker_fits_on_a_node(nodes, workers, gpus, fleet):
    assert plan_fleet(nodes, workers, gpus) == fleet


@pytest.mark.parametrize(
    ("nodes", "workers", "gpus"),
    [
        ([{"CPU": 2.0}], 3, None),
        ([{"CPU": 8.0, "GPU": 1.0}], 2, 1.0),
        ([{"CPU": 8.0}], 1, 1.0),
        ([{"CPU": 8.0, "GPU": 1.0}] * 2, 1, 2.0),
    ],
)
def test_more_than_the_cluster_has_is_refused(nodes, workers, gpus):
    with pytest.raises(JobError, match="cluster has"):
        plan_fleet(nodes, workers, gpus)
