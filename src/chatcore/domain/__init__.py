"""Entries, the decider, rights and the projections of a room's log. Pure functions and values: no I/O, no await."""
