"""Where a comparison is written down."""

JSON_KEY, HTML_KEY = "comparison.json", "comparison.html"
