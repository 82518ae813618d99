"""Tests against servers that run."""
