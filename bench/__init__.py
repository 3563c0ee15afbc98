"""Measurements, run by hand. `python -m bench.compare` compares servers; the others are described in their files."""
