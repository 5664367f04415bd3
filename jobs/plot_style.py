"""What all plots of the project look like."""

from __future__ import annotations

from typing import Any

INK = "#33322e"

PLOT_STYLE: Any = {
    "font.size": 10, "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": INK, "text.color": INK,
    "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.titlepad": 12,
}  # fmt: skip
"""For `matplotlib.rc_context`."""
