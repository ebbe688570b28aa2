"""nodes/messages."""
