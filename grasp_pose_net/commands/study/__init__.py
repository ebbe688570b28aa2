"""Studies: one module each, loaded when it is asked for; its text is its help."""

__all__: list[str] = []
