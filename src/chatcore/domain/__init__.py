"""The pure core: what a room is, what may happen in it, and what each entry of its log changes. No I/O, no await."""
