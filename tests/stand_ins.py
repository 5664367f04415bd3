"""Actors that work on nothing, but live and die in Ray; in a module of their own, which Ray's workers can import."""

import os
import time
from pathlib import Path

from jobs.records import Record, encode_records
from jobs.storage import open_store
from jobs.worker import Outcome


class StandIn:
    """Commits a record per pair; what a pair's name says happens on the way."""

    def __init__(self, output):
        self.store = open_store(output)
        self.marks = Path(output) / "marks"

    def ready(self):
        return "nowhere"

    def run(self, shard):
        records = [self.run_alone(pair) for pair in shard.pairs]
        self.store.create(shard.record_key, encode_records(records))
        if any("late" in pair.pair_id for pair in shard.pairs) and self.first("late"):
            os._exit(1)
        return Outcome(shard.index, len(records), 0)

    def run_alone(self, pair):
        if "poison" in pair.pair_id:
            os._exit(1)
        if "once" in pair.pair_id and self.first(pair.pair_id):
            os._exit(1)
        if "hang" in pair.pair_id:
            time.sleep(3600)
        if "broken" in pair.pair_id:
            raise OSError("no space left on device")
        return Record(pair.pair_id, pair.row, "done", "ift", "photo", "f", actor=str(os.getpid()))

    def first(self, name):
        self.marks.mkdir(exist_ok=True)
        try:
            (self.marks / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class Stillborn:
    def __init__(self, output):
        raise ValueError("these weights fit nothing")

    def ready(self): ...

    def run(self, shard): ...

    def run_alone(self, pair): ...
