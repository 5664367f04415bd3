"""The job's command line with stand-in actors: `python -m tests.chaos.driver run --manifest M --output O`."""

import jobs.stylize
from tests.chaos.stand_in import ChaosActor

if __name__ == "__main__":
    jobs.stylize.ACTOR = ChaosActor
    jobs.stylize.app()
