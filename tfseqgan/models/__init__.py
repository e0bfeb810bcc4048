"""The networks, and the loops that write tokens. May import: ops.

checks         token arrays and pairs of models
embedding      table, or sum of a token's parts
generator      G, an LSTM
discriminator  D
policy         π: a TFP Categorical; Trajectory
decoding       completions of prefixes
"""
