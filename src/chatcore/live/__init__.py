"""The live part of a node: rooms with subscriptions or pending commands, users with sockets, and the hub of both."""
