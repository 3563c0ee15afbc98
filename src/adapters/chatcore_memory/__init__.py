"""Everything chatcore needs, in this process's memory."""
