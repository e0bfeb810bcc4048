"""Tensor functions and kernels; readers of the algorithm need not open it. May import: nothing of tfseqgan.

replicas            many replicas that act as one
masking             sequence_mask, masked_mean
sampling            temperature, top-k, top-p, inverse CDF, row seeds, row padding
sparse              products with sparse matrices in one order of sums
lstm                one LSTM step; outputs of a sequence
log_probs           log softmax at the tokens
spectra             long filters by their spectra
adam                Adam in one kernel a weight
causal_convolution  convolution + maximum over time, sparse gradient
"""
