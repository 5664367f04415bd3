"""The colour of each method in every figure."""

_COLOURS = {
    "ift": "#33608c",
    "wct": "#e08e45",
    "ost": "#b5473c",
    "adain": "#74a57f",
    "avatar": "#8b6aa8",
    "paper": "#5aa3c7",
}
_OTHER = "#8a877f"


def colour_of(method: str) -> str:
    """A colour as matplotlib takes it."""
    return _COLOURS.get(method, _OTHER)
