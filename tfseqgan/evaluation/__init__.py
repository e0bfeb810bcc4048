"""Table 1 and more. May import: datasets, models, music.

metrics   BLEU, standard errors, precision, recall, AUC (NumPy)
music     metre, form and key of tunes (NumPy)
evaluate  Table 1's columns
table     figures as a table to read
"""
