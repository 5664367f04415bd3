"""A run of the real job with one death and one setback; `python -m tests.jobs.troubled run …`."""

import os
import time
from pathlib import Path

import jobs.stylize
from jobs.actor import StylizeActor
from jobs.errors import StorageUnavailableError
from tests.stand_ins import is_first

_LINGER = 1.0
"""Seconds of a shard more than it takes: else one worker may be done with all before another is replaced, and who looks
once a second sees no two of them work."""


class TroubledActor(StylizeActor):
    """Works as any other, but dies at the first shard; the first that is sent again finds that no store answers."""

    def __init__(self, config, name):
        self.marks = Path(config.output).with_name("marks")
        super().__init__(config, name)

    def run(self, shard, effort):
        if is_first(self.marks, "death"):
            os._exit(1)
        if effort.tries and is_first(self.marks, "setback"):
            raise StorageUnavailableError("no answer from this store, for now")
        time.sleep(_LINGER)
        return super().run(shard, effort)


if __name__ == "__main__":
    jobs.stylize.ACTOR = TroubledActor
    jobs.stylize.app()
