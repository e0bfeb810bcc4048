"""The networks, and the loops that write tokens. May import: ops.

interfaces     what the library asks of a generator and a discriminator
checks         token arrays, counts, prompts and pairs of models
embedding      table, or sum of a token's parts
token_clock    where a token stands: what may follow it, what still sounds, the beat
graphs         functions of a model, compiled once for tensors of all sizes
decoding       every loop that writes tokens: decode, sample, score, complete
generator      G, an LSTM
discriminator  D, convolutions and a highway layer
policy         π: a TFP Categorical; Trajectory
"""
