"""Claims about the melody of a synthetic tune."""

import numpy as np

from tfseqgan.datasets.synthetic_harmony import PartPlanner, ScaleRange
from tfseqgan.datasets.synthetic_melody import Dance, MelodyComposer

SCALE = ScaleRange(tonic=62, mode="major", home=7, low=0, high=12)
DANCE = Dance(
    time_signature=(6, 8),
    group_ticks=36,
    groups_per_bar=2,
    tempos_bpm=(165, 185),
    running=((12, 12, 12), (24, 12)),
    breathing=((36,),),
    endings=((24, 12),),
)
PART_TICKS = 16 * DANCE.group_ticks


def compose(seed):
    """Returns the notes of a tune, the ticks of its first pick-up, and the plans of its parts."""
    rng = np.random.default_rng(seed)
    planner = PartPlanner(rng, SCALE, DANCE.groups_per_bar)
    first_part = planner.plan("a b a c", centre=4)
    second_part = planner.plan("d e d c", centre=8)
    notes, pick_up_ticks = MelodyComposer(rng, DANCE, SCALE).compose(first_part, second_part)

    return notes, pick_up_ticks, (first_part, second_part)


def test_a_melody_starts_every_group_on_its_anchor_and_ends_every_part_at_home():
    for seed in range(30):
        notes, pick_up_ticks, (a, b) = compose(seed)
        pitches = {note.start_ticks: note.pitch for note in notes}

        for number, part in enumerate((a, a, b, b)):
            part_start = pick_up_ticks + number * PART_TICKS
            onsets = [part_start + index * DANCE.group_ticks for index in range(len(part))]
            expected = [SCALE.pitch(slot.anchor) for slot in part]
            assert [pitches[onset] for onset in onsets] == expected

        assert notes[-1].pitch == SCALE.pitch(SCALE.home)
        assert notes[-1].end_ticks == pick_up_ticks + 4 * PART_TICKS


def test_a_phrase_breathes_at_the_end_of_bar_4_and_at_the_start_of_bar_8():
    notes, pick_up_ticks, _ = compose(seed=0)
    durations = {note.start_ticks: note.duration_ticks for note in notes}

    breaths = [pick_up_ticks + index * DANCE.group_ticks for index in (7, 14)]

    assert [durations[breath] for breath in breaths] == [36, 36]


def test_a_melody_stays_in_its_range_and_never_leaps_wider_than_an_octave():
    for seed in range(30):
        notes, _, _ = compose(seed)
        pitches = [note.pitch for note in notes]

        assert SCALE.pitch(SCALE.low) <= min(pitches)
        assert max(pitches) <= SCALE.pitch(SCALE.high)
        assert np.abs(np.diff(pitches)).max() <= 12
