"""Races of two Chats on one store that decide on the same head at the same time.

The same races run on every store: `tests/unit/test_races.py` in memory, `tests/integration/test_races.py` on disk.
"""
