"""Tensor functions and kernels; readers of the algorithm need not open it.

May import: arguments.

gradients             gradients of kernels, left out where none is asked for
devices               the one device switch
masking               sequence_mask, has_end, masked_mean
prefixes              what is known of prefixes, by blocks of steps
sampling              temperature, top-k, top-p, inverse CDF, row seeds, row padding
log_probs             log softmax at the tokens
lstm                  one LSTM step; outputs of a sequence
spectral_convolution  long filters by their spectra
causal_convolution    convolution + maximum over time, sparse gradient
adam                  Adam in one kernel a weight
"""
