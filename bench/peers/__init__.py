"""What the classifier is compared with: other programs that do the same work."""
