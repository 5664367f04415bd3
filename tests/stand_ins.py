"""Actors that work on nothing, but live and die in Ray; in a module of their own, which Ray's workers can import."""

import os
import time
from pathlib import Path

from jobs.commit import commit, committed_rows, recommit
from jobs.errors import StorageUnavailableError
from jobs.records import Record
from jobs.storage import open_store


def is_first(marks, name):
    """Whether nobody has asked this before; a file among `marks` remembers it beyond the death of a process."""
    marks.mkdir(exist_ok=True)
    try:
        (marks / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class StandIn:
    """Commits a record per pair; what a pair's name says happens on the way."""

    def __init__(self, output):
        self.store = open_store(output)
        self.marks = Path(output) / "marks"
        self.beats = 0

    def ready(self):
        return "nowhere"

    def pulse(self):
        return self.beats

    def run(self, shard, effort):
        seen = None if effort.rows is None else committed_rows(self.store, shard)
        pairs = [pair for pair in shard.pairs if seen is None or pair.row in effort.rows]
        records = [self.record(shard, pair, effort) for pair in pairs]
        outcome = commit(self.store, shard, records) if seen is None else recommit(self.store, shard, records, seen)
        if any("late" in pair.pair_id for pair in shard.pairs) and self.first("late"):
            os._exit(1)
        return outcome

    def run_alone(self, shard, effort):
        return self.record(shard, shard.pairs[0], effort)

    def record(self, shard, pair, effort):
        self.beats += 1
        name = pair.pair_id
        record = Record.begin(pair, shard.fingerprint)
        record.attempts, record.actor, record.status = 1 + effort.tries, str(os.getpid()), "done"
        if "poison" in name:
            os._exit(1)
        if "once" in name and self.first(name):
            os._exit(1)
        if "hang" in name:
            time.sleep(3600)
        if "slow" in name:
            for _ in range(20):
                time.sleep(0.2)
                self.beats += 1
        if "bad" in name:
            record.fail(ValueError("bad"))
        if "broken" in name:
            raise OSError("no space left on device")
        if "away" in name and self.first(name):
            raise StorageUnavailableError("no answer from this store, for now")
        if "gone" in name:
            if not effort.last:
                raise StorageUnavailableError("no answer for this object, ever")
            record.fail(StorageUnavailableError("no answer for this object, ever"))
        return record

    def first(self, name):
        return is_first(self.marks, name)


class Stillborn:
    def __init__(self, output):
        raise ValueError("these weights fit nothing")

    def ready(self): ...

    def pulse(self): ...

    def run(self, shard, effort): ...

    def run_alone(self, shard, effort): ...
