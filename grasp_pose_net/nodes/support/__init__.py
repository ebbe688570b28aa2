"""nodes/support."""
