"""The rule language: text to judges, and judges to verdicts and evidence."""
