"""The command line `segments`, one module per group of commands."""
