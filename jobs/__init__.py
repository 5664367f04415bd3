"""Entry points for `ray job submit`, and the distributed machinery that they share."""
