"""Whole clusters in virtual time, driven by the very guards and witness that a real one has, under every kind of fault."""
