"""Two evaluations compared pair by pair: is the difference more than chance?"""

from jobs.comparison.compare import Comparison, Difference, compare_tables

__all__ = ["Comparison", "Difference", "compare_tables"]
