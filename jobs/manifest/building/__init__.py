"""What `jobs.manifest.build` is made of."""
