"""Table 1 and more. May import: datasets, models, music.

metrics   BLEU, standard errors, precision, recall, AUC (NumPy)
music     metre, form and key of tunes (NumPy)
evaluate  Table 1's columns
table     figures as a table to read
calibration     calibrated odds, cross-entropy, bootstrap (NumPy)
judge_windows   tunes as windows that a judge reads
judge_networks  the networks of judges
judges          fresh discriminators, trained until they learn no more
"""
