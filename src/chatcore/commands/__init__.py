"""The commands: one file a family, each with its classes, its answers, its handlers and its rows of the one table."""
