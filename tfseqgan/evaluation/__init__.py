"""Table 1 and more. May import: datasets, models.

metrics   BLEU, standard errors, precision, recall, AUC (NumPy)
evaluate  Table 1's columns
table     figures as a table to read
"""
