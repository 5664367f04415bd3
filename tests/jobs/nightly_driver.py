"""Nights with stand-in actors: `python -m tests.jobs.nightly_driver --config FILE`."""

from jobs import stylize
from jobs.nightly.__main__ import app
from tests.chaos.stand_in import ChaosActor

if __name__ == "__main__":
    stylize.ACTOR = ChaosActor
    app()
