"""The ports of the domain, a module for each. Their docstrings are the contract of an adapter."""
