"""The frozen plan of a job: every pair, its output, and the shards in which the pairs are worked on."""

from jobs.plan.editions import PLAN_KEY, PLAN_VERSION, Edition, Page
from jobs.plan.frozen import Plan, load_plan
from jobs.plan.outputs import SUFFIXES
from jobs.plan.prepare import Prepared, prepare_plan
from jobs.plan.shards import (
    LAYOUTS,
    OBJECTS,
    PARQUET,
    WEBDATASET,
    PlannedPair,
    Shard,
    default_shard_size,
    record_key,
    shard_name,
)

__all__ = [
    "LAYOUTS", "OBJECTS", "PARQUET", "PLAN_KEY", "PLAN_VERSION", "SUFFIXES", "WEBDATASET", "Edition", "Page", "Plan",
    "PlannedPair", "Prepared", "Shard", "default_shard_size", "load_plan", "prepare_plan", "record_key", "shard_name",
]  # fmt: skip
