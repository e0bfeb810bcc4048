"""A tune as plain values, in and out. May import: files.

score             Note, Chord, Score; transposition
voice_separation  notes → melody and chords
midi              MIDI files ↔ Score
abc_notation      Score → ABC
events            Score ↔ events
nearest_event     replaces a rare event
tokenizer         vocabulary; Score ↔ token ids
"""
