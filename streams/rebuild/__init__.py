"""rebuild: the state of a shard made anew from the inputs, beside the live one, which serves readers meanwhile.

    inputs ──► a silent shard on keys of its own ──► cut over: one script call renames the keys ──► say the differences

The shard that is made is an ordinary one (`streams.shard`), silent from its first record to its last. After the
cut-over whoever owns the live shard finds its state replaced, reads on in silence to where the old state was, and says
what is otherwise than subscribers know (`streams.shard.silence`).
"""
