"""What may be wrong with a run's output, and the verdict about one."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

import pyarrow as pa

from jobs.inventory import batches
from jobs.plan import Plan

LOST_AND_FOUND = "lost+found/"
"""Where `repair_storage` puts what it takes away, each object under its own key."""

DAMAGED, MISSING, WRONG_SIZE, WRONG_BYTES, DAMAGED_PACK, UNRECORDED, STRAY = (
    "damaged records",
    "missing picture",
    "wrong size",
    "wrong bytes",
    "damaged pack",
    "unrecorded picture",
    "stray object",
)
REMEDIES = {
    DAMAGED: "sets the record object aside and does its pairs again",
    MISSING: "does the pair again",
    WRONG_SIZE: "does the pair again",
    WRONG_BYTES: "does the pair again",
    DAMAGED_PACK: "sets the pack aside and does its pairs again",
    UNRECORDED: "does the pair again, which finds the picture",
    STRAY: f"moves the object to {LOST_AND_FOUND}",
}

MOST_KEPT = 1000
"""Findings of a kind that a verdict keeps."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: a key of `REMEDIES`.
        key: of the object that is wrong, missing or too much.
        problem: what is wrong, in plain words.
        shard: that the object belongs to; None if to none.
        row: of the pair; None if no one pair is concerned.
        pair_id: of the pair.
        rows: of a pack's pairs that are to be done again.
    """

    kind: str
    key: str
    problem: str
    shard: int | None = None
    row: int | None = None
    pair_id: str | None = None
    rows: tuple[int, ...] = ()


class Redo(Mapping[int, frozenset[int] | None]):
    """What is to be done again: a shard's rows, or None for all of a shard whose record object must go first.

    It takes a few bytes per row, for a whole run may have to be done again.
    """

    def __init__(self) -> None:
        self._rows: dict[int, array[int] | None] = {}

    def add(self, finding: Finding) -> None:
        """Has the finding's pair or shard done again."""
        if finding.shard is None:
            return
        again = finding.rows if finding.row is None else (finding.row,)
        if finding.kind == DAMAGED:
            self._rows[finding.shard] = None
        elif again and (rows := self._rows.setdefault(finding.shard, array("q"))) is not None:
            rows.extend(again)

    def __getitem__(self, shard: int) -> frozenset[int] | None:
        rows = self._rows[shard]
        return None if rows is None else frozenset(rows)

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass
class Verdict:
    """What was looked at, and what was found.

    Attributes:
        plan: as it stood when the output had been listed.
        thorough: whether pictures were read, not only looked for.
        recorded: pairs with an intact record.
        pictures: that were promised and looked for.
        unfinished: objects that are there of pairs without a record: of shards in work, or still to be done.
        counts: findings by kind.
        findings: the first of each kind.
        redo: what is to be done again.
        packs: keys of damaged packs.
        strays: keys of what belongs to nothing, in a column of text.
    """

    output: str
    plan: Plan
    thorough: bool
    recorded: int = 0
    pictures: int = 0
    unfinished: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    redo: Redo = field(default_factory=Redo)
    packs: list[str] = field(default_factory=list)
    strays: pa.ChunkedArray = field(default_factory=lambda: pa.chunked_array([], pa.string()))

    @property
    def fine(self) -> bool:
        """Whether nothing wrong was found."""
        return not self.counts

    @property
    def rows(self) -> int:
        """Pairs in the plan."""
        return self.plan.rows

    def to_json(self) -> bytes:
        """The verdict as one JSON object."""
        names = ("output", "thorough", "rows", "recorded", "pictures", "unfinished", "counts")
        verdict = {name: getattr(self, name) for name in names} | {"findings": [asdict(f) for f in self.findings]}
        return (json.dumps(verdict, indent=2, ensure_ascii=False) + "\n").encode()

    def add(self, finding: Finding) -> None:
        """Takes a finding down."""
        self.counts[finding.kind] += 1
        if self.counts[finding.kind] <= MOST_KEPT:
            self.findings.append(finding)
        if finding.kind == DAMAGED_PACK:
            self.packs.append(finding.key)
        if finding.kind != STRAY:
            self.redo.add(finding)

    def add_strays(self, findings: Iterable[Finding]) -> None:
        """Takes down all strays."""
        keys = []
        for some in batches(findings):
            for finding in some:
                self.add(finding)
            keys.append(pa.array([finding.key for finding in some], pa.string()))
        self.strays = pa.chunked_array(keys, pa.string())
