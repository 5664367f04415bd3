"""Evaluation: every picture of a run, or of a list of triples, judged against its content and its styles."""
