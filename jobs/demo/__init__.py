"""The demo: pictures that are free to ship, and a run of the job on them."""
