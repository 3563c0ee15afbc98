"""The commands: a module for each family, with its command classes, answers and handlers; `table` lists them all."""
