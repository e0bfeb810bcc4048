"""Sequences of any symbols as tokens, which knows nothing of music. May import: arguments, files.

token_rows        token sequences as rows of one array
symbol_tokenizer  sequences of characters, words or numbers ↔ token ids
"""
