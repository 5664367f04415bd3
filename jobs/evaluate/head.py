"""What an evaluation judges, and by what: frozen when it begins, so that all its records can be compared."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields

from ift.metrics import METRICS
from jobs.errors import NotFoundInStoreError, PlanError
from jobs.evaluate.places import SOURCE_KEY
from jobs.plan import Page
from jobs.storage import Store

_VERSION = 1

RUN, TRIPLES = "run", "triples"


@dataclass(frozen=True)
class Head:
    """What is judged.

    Attributes:
        kind: `RUN` or `TRIPLES`.
        source: of a run the fingerprint of its plan, of a list that of its triples.
        judge: SHA-256 of the weights of the encoder that judges, whatever weights have stylized.
        metrics: their names.
        pages: of a list, where its triples are.
        shard_size: of a list, most triples in one shard.
    """

    kind: str
    source: str
    judge: str
    metrics: tuple[str, ...] = field(default_factory=lambda: tuple(METRICS))
    pages: tuple[Page, ...] = ()
    shard_size: int = 0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides the figures."""
        said = [_VERSION, self.kind, self.source, self.judge, self.metrics]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def to_json(self) -> bytes:
        """As it is stored."""
        return json.dumps({"version": _VERSION, **asdict(self)}, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> Head:
        """What `to_json` wrote; ValueError, KeyError or TypeError for any other text."""
        head = json.loads(text)
        if head["version"] != _VERSION:
            raise ValueError(f"its version is {head['version']}, this program's is {_VERSION}")
        values = {each.name: head[each.name] for each in fields(cls)}
        pages = tuple(Page(**page) for page in head["pages"])
        return cls(**{**values, "metrics": tuple(head["metrics"]), "pages": pages})


def read_head(store: Store) -> Head | None:
    """The head of the evaluation in `store`; None if there is none yet.

    Raises:
        PlanError: it is damaged.
        StorageError: the store cannot be reached.
    """
    try:
        return Head.from_json(store.read(SOURCE_KEY))
    except NotFoundInStoreError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlanError(
            f"{SOURCE_KEY} in {store.uri} cannot be used ({type(error).__name__} {error}): delete all that is there,"
            " and evaluate anew"
        ) from error


def freeze(store: Store, wanted: Head) -> Head:
    """The head of the evaluation in `store`: this one, if there was none; of racers one decides.

    Raises:
        PlanError: what is there is the evaluation of something else; the message says what differs.
        StorageError: the store cannot be written to.
    """
    standing = read_head(store)
    while standing is None:
        store.create(SOURCE_KEY, wanted.to_json())
        standing = read_head(store)
    if (standing.kind, standing.source) != (wanted.kind, wanted.source):
        raise PlanError(
            f"{store.uri} holds the evaluation of "
            + (
                "another list of triples: give the list that it had then, or another --output"
                if standing.kind == wanted.kind == TRIPLES
                else "another run, or of a list: delete it, or give another --output"
            )
        )
    if standing.judge != wanted.judge:
        raise PlanError(
            f"{store.uri} was judged with other weights: give the same --weights and --vgg19 as then, or delete it"
            " to judge anew"
        )
    if standing.metrics != wanted.metrics:
        names = ", ".join(sorted(set(standing.metrics) ^ set(wanted.metrics)))
        raise PlanError(f"{store.uri} was made by a version with other metrics ({names}): delete it to judge anew")
    return standing
