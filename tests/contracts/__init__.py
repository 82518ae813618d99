"""The same suite on every adapter of a port."""
