"""Whether a run's output is what its records say, nothing less and nothing more; and how to put it right."""

from jobs.verify.findings import (
    DAMAGED,
    DAMAGED_PACK,
    LOST_AND_FOUND,
    MISSING,
    STRAY,
    UNRECORDED,
    WRONG_BYTES,
    WRONG_SIZE,
    Finding,
    Verdict,
)
from jobs.verify.look import verify
from jobs.verify.repair import repair_storage
from jobs.verify.told import VERDICT_KEY, print_verdict

__all__ = [
    "DAMAGED", "DAMAGED_PACK", "LOST_AND_FOUND", "MISSING", "STRAY", "UNRECORDED", "VERDICT_KEY", "WRONG_BYTES",
    "WRONG_SIZE", "Finding", "Verdict", "print_verdict", "repair_storage", "verify",
]  # fmt: skip
