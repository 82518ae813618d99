"""The classifier: a pure core, adapters around it, the Faust program on top."""
