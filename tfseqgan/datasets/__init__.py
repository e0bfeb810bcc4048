"""Corpora, split by tune, as token windows. May import: files, music.

duplicates         which tunes are the same tune
corpus             Corpus; split by groups of duplicates
reading            many MIDI files, read side by side
midi_folder        load_midi
nottingham         load_nottingham, download_nottingham
lee2017            the published tokens
synthetic_harmony  the plan of a synthetic tune
synthetic          tunes composed by a grammar
windows            a corpus as int32 [N, T]
"""
