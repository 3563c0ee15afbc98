"""What is alive on this node: rooms with followers or waiting commands, users with sockets, and the hub of both."""
