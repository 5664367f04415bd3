"""An actor that judges nothing and dies of one pair; in a module of its own, which Ray's workers can import."""

import os

from jobs.actor import ShardActor
from jobs.commit import commit, committed_rows, recommit
from jobs.evaluate.records import JUDGED, JudgedRecord
from jobs.storage import open_store


class DeadlyActor(ShardActor):
    """Says of every picture that its SSIM is a half, but dies of c1-s0."""

    def make_worker(self, config, name):
        return _Worker(config)


class _Worker:
    def __init__(self, config):
        self.store, self.beats = open_store(config.output), 0

    def run(self, shard, effort):
        seen = None if effort.rows is None else committed_rows(self.store, shard, JUDGED)
        if seen is None:
            return commit(self.store, shard, self.work_on(shard, shard.pairs, effort), JUDGED)
        pairs = [pair for pair in shard.pairs if pair.row in effort.rows]
        return recommit(self.store, shard, self.work_on(shard, pairs, effort), seen, JUDGED)

    def work_on(self, shard, pairs, effort):
        return [self.record(shard, pair, effort) for pair in pairs]

    def record(self, shard, pair, effort):
        if pair.pair_id == "c1-s0":
            os._exit(1)
        self.beats += 1
        record = JudgedRecord.begin(pair, shard.fingerprint)
        record.attempts, record.status, record.metrics = 1 + effort.tries, "done", {"ssim": 0.5}
        return record
