"""verify: whether what was read, what is stored and what was said agree. Reads only; workers may go on meanwhile.

    inputs ──► replay by the pure core ──► profiles ═╗
    segment-changes ──► fold ──► memberships ════════╬═ compare ──► report
    Redis, customers in groups, each read whole ═════╝

Nothing stands still while workers run, so every group of customers is read in one transaction together with the offsets
and the sequence of its shard, and is compared with the inputs and the changes up to just there.
"""
