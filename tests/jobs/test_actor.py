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
    ],
)
def test_the_fleet_fits_the_cluster(resources, workers, gpus, fleet):
    assert plan_fleet(resources, workers, gpus) == fleet


@pytest.mark.parametrize(
    ("resources", "workers", "gpus"),
    [({"CPU": 2.0}, 3, None), ({"CPU": 8.0, "GPU": 1.0}, 2, 1.0), ({"CPU": 8.0}, 1, 1.0)],
)
def test_more_than_the_cluster_has_is_refused(resources, workers, gpus):
    with pytest.raises(JobError, match="cluster has"):
        plan_fleet(resources, workers, gpus)
