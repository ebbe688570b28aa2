"""Converters between messages and the library's types: pure functions."""
