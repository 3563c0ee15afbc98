"""The commands: a module for each family, with its command classes, answers and handlers.

A new command needs a class in the module of its family, with checks from `fields`; a line in `table`; the wire form
of its answer in `chatcore.protocol.answers`; and an example in `chatcore.protocol.examples`.
"""
