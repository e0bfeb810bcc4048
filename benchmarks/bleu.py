"""Compare the speed of our BLEU with nltk's, on sequences of 100 tokens and 350 references.

Ours counts the n-grams of the references once. nltk's counts them again for every hypothesis.

    python benchmarks/bleu.py

It prints the time of each for one hypothesis, their ratio, and the largest difference between their
results. The tokens are random. Their frequencies follow Zipf's law over 3,216 ids, as those of a
real corpus do, so that no data are needed.
"""

import time

import numpy as np
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from tfseqgan.evaluation.metrics import bleu

NUM_HYPOTHESES = 350
NUM_REFERENCES = 350
LENGTH = 100
VOCABULARY_SIZE = 3216
NUM_BY_NLTK = 20  # nltk is slow, so it gets fewer hypotheses


def random_sequences(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns references [NUM_REFERENCES, LENGTH] and hypotheses [NUM_HYPOTHESES, LENGTH]."""
    rng = np.random.default_rng(seed)
    frequencies = 1 / np.arange(1, VOCABULARY_SIZE + 1)
    probabilities = frequencies / frequencies.sum()

    sequences = rng.choice(
        VOCABULARY_SIZE,
        (NUM_REFERENCES + NUM_HYPOTHESES, LENGTH),
        p=probabilities,
    )
    return sequences[:NUM_REFERENCES], sequences[NUM_REFERENCES:]


def score_with_nltk(hypotheses: np.ndarray, references: np.ndarray) -> list[float]:
    """Returns nltk's BLEU of each hypothesis against all references."""
    smoothing = SmoothingFunction().method4
    reference_lists = references.tolist()

    return [
        sentence_bleu(reference_lists, hypothesis, smoothing_function=smoothing)
        for hypothesis in hypotheses.tolist()
    ]


def main() -> None:
    """Times both and prints the comparison."""
    references, hypotheses = random_sequences()

    started = time.perf_counter()
    ours = bleu(hypotheses, references)
    our_total = time.perf_counter() - started
    our_seconds = our_total / NUM_HYPOTHESES

    started = time.perf_counter()
    theirs = score_with_nltk(hypotheses[:NUM_BY_NLTK], references)
    nltk_seconds = (time.perf_counter() - started) / NUM_BY_NLTK

    difference = np.abs(ours[:NUM_BY_NLTK] - np.array(theirs)).max()
    total = f"{our_total:.3f} s for {NUM_HYPOTHESES} × {NUM_REFERENCES}"
    print(f"ours  {our_seconds * 1e3:.3f} ms a hypothesis ({total})")
    print(f"nltk  {nltk_seconds * 1e3:.3f} ms a hypothesis")
    print(f"ratio {nltk_seconds / our_seconds:.0f}, largest difference {difference:.1e}")


if __name__ == "__main__":
    main()
