"""Two Chats on one store that decide on the same head at the same time, and what may come of it.

The same races run on every store: `tests/unit/test_races.py` on memory, `tests/integration/test_races.py` on disk.
"""
