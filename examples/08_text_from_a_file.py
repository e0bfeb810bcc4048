"""Train a generator on the characters of a text, and let it write.

You learn

- that the library trains on any sequences of symbols: a `SymbolTokenizer` makes token ids of
  characters, words or numbers, and says which ids start, end and pad a sequence,
- that these ids are passed to the models, which assume nothing about your tokens,
- what a model is to be compared with: the entropy of single characters.

It takes a minute on a text of its own, and more on a book. Paragraphs are the sequences.

    python examples/08_text_from_a_file.py
    python examples/08_text_from_a_file.py book.txt
"""

import argparse
import re
from pathlib import Path

import keras
import numpy as np

import tfseqgan as sg

TEXT = """
The tide came in over the flat sand, and the birds went up from the water's edge. They turned once
over the harbour and came down again where the sand was still wet.

A boat lay on its side by the old wall. Nobody had moved it since the spring. The paint had come off
in the sun, and the sand had come in where the boards were broken.

The man who had built the boat came down to the wall in the evening. He sat on the stones and looked
at the water. When the light was gone he went home again.

In the night the wind turned, and the water rose higher than it had risen since the winter. It came
over the sand and over the stones, and it took the boat from the wall.

In the morning the birds went up from the sand. The boat lay out on the still water, and the sun
stood over the harbour. The man came down to the wall and laughed.
"""

LENGTH = 64  # characters in a training row, start and end included


def read_paragraphs(path: Path | None) -> list[str]:
    """Returns the paragraphs of a text file, or of the text above, each on one line."""
    text = TEXT if path is None else path.read_text(encoding="utf-8")
    paragraphs = [" ".join(block.split()) for block in re.split(r"\n\s*\n", text)]

    return [paragraph for paragraph in paragraphs if paragraph]


def unigram_nll(tokenizer: sg.SymbolTokenizer, train: np.ndarray, validation: np.ndarray) -> float:
    """Returns what the validation tokens cost if only their frequencies are known, in nats."""
    is_token = validation != tokenizer.pad_token_id
    counts = np.bincount(train.ravel(), minlength=tokenizer.vocabulary_size) + 1
    counts[tokenizer.pad_token_id] = 0
    probabilities = counts / counts.sum()

    return float(-np.log(probabilities[validation[is_token]]).mean())


def main() -> None:
    """Trains on the text and prints what the generator writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", nargs="?", type=Path, help="a text file in UTF-8")
    parser.add_argument("--epochs", type=int, default=60, help="passes over the text")
    parser.add_argument("--num", type=int, default=3, help="paragraphs to write")
    args = parser.parse_args()
    keras.utils.set_random_seed(0)

    # The last paragraphs are held out. A character that only they hold is written as "?".
    paragraphs = read_paragraphs(args.text)
    num_held_out = max(1, len(paragraphs) // 10)
    tokenizer = sg.SymbolTokenizer.fit(paragraphs[:-num_held_out], unknown="?")
    train = tokenizer.windows(paragraphs[:-num_held_out], LENGTH, stride=LENGTH // 8)
    validation = tokenizer.windows(paragraphs[-num_held_out:], LENGTH)
    print(f"{len(tokenizer.symbols)} characters, {len(train)} training rows")

    generator = sg.Generator(
        tokenizer.vocabulary_size,
        embedding_dim=32,
        units=128,
        dropout=0.3,
        pad_token_id=tokenizer.pad_token_id,
        end_token_id=tokenizer.end_token_id,
    )
    generator.compile(keras.optimizers.Adam(5e-3, global_clipnorm=5.0))
    history = sg.pretrain(
        generator,
        train,
        epochs=args.epochs,
        batch_size=min(32, len(train)),
        validation_data=validation,
        seed=0,
        verbose=2,
    )

    baseline = unigram_nll(tokenizer, train, validation)
    best = min(history.history["val_nll"])
    print(f"held out: {best:.2f} nats a character, by frequencies alone {baseline:.2f}")

    tokens = generator.generate(
        args.num,
        length=200,
        prompt=tokenizer.prompts(args.num),
        temperature=0.7,
        seed=0,
    )
    for row in tokens:
        print("\n" + "".join(map(str, tokenizer.decode(row))))


if __name__ == "__main__":
    main()
