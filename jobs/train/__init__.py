"""Training of the decoders as a Ray Train job: `python -m jobs.train --images DIR --output O`."""
