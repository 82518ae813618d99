"""Programs that live off segment changes, and the subscription that they share. Imports schemas only."""
