"""Measurements on the machine at hand, as ratios within one run: of the model, and of the job."""
