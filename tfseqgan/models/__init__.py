"""The networks, and the loops that write tokens. May import: arguments, ops.

interfaces           what the library asks of a generator and a discriminator
checks               token arrays, counts, prompts and pairs of models
graphs               functions of a model, compiled once for tensors of all sizes
embedding            table, or sum of a token's parts
token_grammar        what may follow a token, as a table of states
token_clock          where a token stands: what still sounds, the beat, the state of the grammar
scale_degrees        which degree of its key a pitch is, in the input and in the output
bar_limits           what the number of bars of a tune forbids
tune_form            what a tune was asked to be, its bars, the degrees of its key
place                where a token stands: clock, grammar and form together
attention_bias       what attention adds for each difference in time
attention_layer      causal attention and a feed-forward network
weight_counts        how many weights a model has
decoding             every loop that writes tokens: decode, sample, score, complete
likelihood_model     fit and evaluate by maximum likelihood
sequence_model       the base class of generators: likelihood, samples, for any network
language_model       what the library's generators share: embedding, grammar, logits
generator            G, an LSTM
attention_generator  G with a memory
sequence_classifier  what every discriminator is to Keras
frozen_copy          a copy of a generator that is not trained
discriminator        D, convolutions and a highway layer
state_discriminator  D that reads a generator's states
resampling           of several samples one is kept, by a discriminator's odds
particles            the same while the samples are written, by the odds of prefixes
policy               π: a TFP Categorical; Trajectory
"""
