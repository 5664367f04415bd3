"""By their names, which files of a folder are taken for pictures."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".jp2", ".avif")
"""In lower case; what such a file really is, its content decides."""
