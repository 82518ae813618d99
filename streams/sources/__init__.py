"""Where events come from besides a shop: importers of public data sets, and generated ones."""
