"""What must hold for every log of events and every rule, tried with Hypothesis."""
