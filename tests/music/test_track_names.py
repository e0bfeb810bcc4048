"""Claims about tfseqgan.music.track_names."""

import pytest

from tfseqgan.music.track_names import NameEvidence, read_track_name


@pytest.mark.parametrize(
    "names, evidence",
    [
        ("Melody, MELODY, main melody 2, Melodie, MelodyTrack, Melody (Strings)", "MELODY"),
        ("Vocal, VOCALS, Lead Vocal, LeadVox, voice_1, Voice, Gesang", "VOICE"),
        ("Soprano, soprano sax, Cantus, Superius", "SOPRANO"),
        ("Lead_Square, Lead 1 (square), solo, Guitar Solo, synth-lead", "LEAD"),
        ("Right Hand, right hand, RH, r.h., Piano RH, Piano right, Right", "RIGHT_HAND"),
        ("Violin, Track 1, Staff-3, Piano, , Guitar right, Leader, Solomon, Bassoon", "NONE"),
        ("Chords, Chord, Accompaniment, acc., BRIDGE, Backing Vocals, Rhythm", "ACCOMPANIMENT"),
        ("Bass, Bass Solo, Slap Bass 1, String Ensemble 1, Pad 2 (warm)", "ACCOMPANIMENT"),
        ("Left Hand, LH, L.H., Piano left, FX 4 (atmosphere), Choir Aahs", "ACCOMPANIMENT"),
        ("Drums, DRUM KIT, Percussion, perc 2, Snare, Hihat, Metronome", "PERCUSSION"),
    ],
    ids=lambda value: value.split(",")[0],
)
def test_a_track_named_in_any_case_and_within_longer_names_tells_its_voice(names, evidence):
    for name in names.split(", "):
        assert read_track_name(name) is NameEvidence[evidence], name
