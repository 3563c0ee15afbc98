"""Promises broken on purpose. pytest collects nothing here."""
