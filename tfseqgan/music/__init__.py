"""A tune as plain values, in and out. May import: files.

score             Note, Chord, Score; transposition
voice_separation  notes → melody and chords
midi              MIDI files ↔ Score
abc_notation      Score → ABC
key_estimation    the key of a tune by its notes
chord_voicing     chords without octaves
events            Score ↔ events of both voices
interleaved_events  Score ↔ events of one voice each
nearest_event     replaces a rare event
vocabulary        events with ids
token_rows        token sequences as rows of one array
tokenizer         Score ↔ token ids
"""
