"""What the domain needs from the outside. One file a port; the docstrings are the contract."""
