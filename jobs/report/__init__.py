"""The report of an evaluation: one file of HTML that opens anywhere, without a network."""

from jobs.report.write import write_report

__all__ = ["write_report"]
