"""chatcore's stores in one SQLite file."""
