"""The supplement's experiments and the trade-off as reproducible definitions, each run by one command."""
