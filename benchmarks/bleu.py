"""BLEU of sequences of 100 tokens against 350 references: ours, counted once, beside nltk's, counted once a hypothesis.

    python benchmarks/bleu.py

Prints seconds a hypothesis of each, the ratio, and the largest difference. The tokens are random with the frequencies of a real corpus (Zipf's law over
3,216 ids), so that the data is not needed.
"""

import time

import numpy as np
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from tfseqgan.evaluation.metrics import bleu

HYPOTHESES, REFERENCES, LENGTH, VOCABULARY, BY_NLTK = 350, 350, 100, 3216, 20


def main():
    random = np.random.default_rng(0)
    weights = 1 / np.arange(1, VOCABULARY + 1)
    references, hypotheses = random.choice(
        VOCABULARY, (2, REFERENCES, LENGTH), p=weights / weights.sum()
    )
    started = time.perf_counter()
    ours = bleu(hypotheses, references)
    seconds = time.perf_counter() - started
    smoothing, lists = SmoothingFunction().method4, references.tolist()
    started = time.perf_counter()
    theirs = [
        sentence_bleu(lists, row, smoothing_function=smoothing)
        for row in hypotheses[:BY_NLTK].tolist()
    ]
    nltk_seconds = time.perf_counter() - started
    ratio = (nltk_seconds / BY_NLTK) / (seconds / HYPOTHESES)
    print(
        f"ours  {seconds / HYPOTHESES * 1e3:.3f} ms a hypothesis ({seconds:.3f} s for {HYPOTHESES} × {REFERENCES})"
    )
    print(f"nltk  {nltk_seconds / BY_NLTK * 1e3:.3f} ms a hypothesis")
    print(f"ratio {ratio:.0f}, largest difference {np.abs(ours[:BY_NLTK] - theirs).max():.1e}")


if __name__ == "__main__":
    main()
