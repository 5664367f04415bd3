"""A run of the real job with one death and one setback; `python -m tests.jobs.troubled run …`."""

import os
from pathlib import Path

import jobs.stylize
from jobs.actor import StylizeActor
from jobs.errors import StorageUnavailableError


class TroubledActor(StylizeActor):
    """Works as any other, but dies at the first shard; the first that is sent again finds that no store answers."""

    def __init__(self, config, name):
        self.marks = Path(config.output).with_name("marks")
        super().__init__(config, name)

    def run(self, shard, effort):
        if self.first("death"):
            os._exit(1)
        if effort.tries and self.first("setback"):
            raise StorageUnavailableError("no answer from this store, for now")
        return super().run(shard, effort)

    def first(self, name):
        self.marks.mkdir(exist_ok=True)
        try:
            (self.marks / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


if __name__ == "__main__":
    jobs.stylize.ACTOR = TroubledActor
    jobs.stylize.app()
