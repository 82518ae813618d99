"""Customer stories: tables of events and of passing time, and the transitions that must come of them."""
