"""Chat for any Python service: rooms that are logs, one verb, and ports for everything outside."""
