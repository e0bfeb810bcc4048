"""Corpora, split by tune, as token windows. May import: files, music, symbols.

duplicates         which tunes are versions of one tune
corpus             Corpus; the split by groups of duplicates
tune_folder        load_folder: MIDI and ABC files
folder_report      what became of each file of a folder
nottingham         load_nottingham, download_nottingham
lee2017            the published tokens
synthetic_harmony  the chords of a synthetic tune, and the anchors of its melody
synthetic_melody   the melody of a synthetic tune over its plan
synthetic          tunes composed by a grammar
transposition      every epoch in other keys
windows            a corpus as int32 [N, T]
"""
