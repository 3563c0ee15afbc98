"""Errors of the command line."""


class SettingsError(Exception):
    """A setting is wrong. The message is one line: which setting, and why, without a value that may be secret."""
