"""A tune as plain values, in and out. May import: arguments, files, symbols.

pitch_spelling    names of pitches, on the line of fifths
keys              names of keys, their sharps and their scale
score             Note, Chord, Score; transposition
metre             bars, beams, and where the bar lines are
metre_estimation  the metre of a tune by its notes and chords
key_estimation    the key of a tune by its notes
score_labels      the metre and the key that a tune does not say
text              titles and file names of unknown encoding → text
track_names       the name of a track → evidence of its voice
stream_splitting  one stream of notes → melody and accompaniment
voice_separation  the streams of a file → melody and chords
score_building    melody and chords → notes and chords of a score
midi_parsing      the bytes of a MIDI file → messages
midi_streams      messages → streams of notes
midi_labels       messages → metre, tempo and key
midi              MIDI files ↔ Score
chord_symbols     pitches ↔ "Am7"
written_notes     melody → note values, triplets, beams
abc_notation      Score → ABC
engraving         ABC → sheet music
abc_fields        metre, length, tempo and key in ABC → values
abc_tokens        music in ABC → tokens, repeats written out
abc_reader        ABC → Score
controls          metre, key, number of bars, rhythm: asked for or drawn
chord_voicing     chords without octaves
events            Score ↔ events of both voices
interleaved_events  Score ↔ events of one voice each
nearest_event     replaces a rare event
vocabulary        events with ids
control_tokens    controls with ids
event_writing     a tune's key and chords as they are written, and back
encoded           what writing tunes as tokens gives
tokenizer_file    the content of a tokenizer's file
tokenizer         Score ↔ token ids
"""
