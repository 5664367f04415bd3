"""Packs: the pictures of a shard in one object, a WebDataset tar file or a Parquet file, for training on them."""

from jobs.packs.format import pack_key, packed_shard
from jobs.packs.index import INDEX_KEY, PackIndex
from jobs.packs.packing import open_pack, put_in_packs, read_pack
from jobs.packs.sample import DamagedPackError, Sample

__all__ = [
    "INDEX_KEY", "DamagedPackError", "PackIndex", "Sample", "open_pack", "pack_key", "packed_shard", "put_in_packs",
    "read_pack",
]  # fmt: skip
