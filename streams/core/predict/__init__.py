"""Predictions: who is still a customer, how often they will buy, and what they will spend. Closed forms and curves."""
