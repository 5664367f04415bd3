"""Nights: what is new since the last one is paired, stylized and checked, by one program on a schedule."""
