"""A tune as plain values, in and out. May import: files.

pitch_spelling    names of pitches, on the line of fifths
keys              names of keys; the key that fits
score             Note, Chord, Score; transposition
metre             bars, beams, and where the bar lines are
chord_symbols     pitches → "Am7"
written_notes     melody → note values, triplets, beams
voice_separation  notes → melody and chords
midi              MIDI files ↔ Score
abc_notation      Score → ABC
events            Score ↔ events
nearest_event     replaces a rare event
tokenizer         vocabulary; Score ↔ token ids
"""
