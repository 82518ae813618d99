"""What crosses a boundary: events in, transitions out, definitions, the read model. Imports nothing of ours."""
