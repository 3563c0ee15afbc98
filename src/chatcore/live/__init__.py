"""What this node serves: rooms with subscriptions or pending commands, users with sockets, and the hub of both."""
