"""A model of any symbols is saved, exported and loaded with its tokenizer, as one of tunes is."""

import numpy as np
import pytest

import tfseqgan as sg
from tfseqgan.runs.finished_run import sample_tunes
from tfseqgan.runs.judging import prepare_trial
from tfseqgan.serving.tokenizer_files import load_tokenizer

TOKENIZER = sg.SymbolTokenizer("abcde", unknown="e")


def make_text_generator():
    """Returns a tiny generator of the tokenizer's vocabulary."""
    return sg.Generator(
        TOKENIZER.vocabulary_size,
        embedding_dim=4,
        units=6,
        pad_token_id=TOKENIZER.pad_token_id,
        end_token_id=TOKENIZER.end_token_id,
    )


@pytest.mark.parametrize("tokenizer", [TOKENIZER, sg.Tokenizer([(24, (4,), (0,), 0, (), ())])])
def test_a_tokenizer_of_either_kind_is_loaded_from_its_file(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")

    assert load_tokenizer(tmp_path / "tokenizer.json") == tokenizer


def test_a_folder_of_models_keeps_a_tokenizer_of_symbols(tmp_path):
    generator = make_text_generator()
    sg.save_pretrained(tmp_path, generator, TOKENIZER)

    loaded = sg.from_pretrained(tmp_path)

    assert loaded.tokenizer == TOKENIZER
    np.testing.assert_array_equal(
        loaded.generator.generate(2, length=6, seed=0), generator.generate(2, length=6, seed=0)
    )


@pytest.mark.slow
@pytest.mark.serving
def test_an_exported_sampler_of_symbols_samples_and_decodes(tmp_path):
    generator = make_text_generator()
    prompt = [TOKENIZER.start_token_id]
    sg.export_saved_model(generator, TOKENIZER, tmp_path, length=6, prompt=prompt)

    sampler = sg.SavedSampler(tmp_path)

    assert sampler.tokenizer == TOKENIZER
    tokens = sampler.generate(3, seed=0)
    np.testing.assert_array_equal(tokens, generator.generate(3, length=6, prompt=prompt, seed=0))
    assert all(set(sampler.tokenizer.decode(row)) <= set("abcde") for row in tokens)
    assert sg.from_pretrained(tmp_path).tokenizer == TOKENIZER
    with pytest.raises(ValueError, match="have no controls"):
        sampler.generate(1, controls=sg.Controls(key="D"))
    with pytest.raises(ValueError, match="samples sequences of symbols; expected a sampler of"):
        sample_tunes(tmp_path, num_tunes=1)
    with pytest.raises(ValueError, match="samples sequences of symbols; expected a sampler of"):
        prepare_trial(tmp_path, num_judges=1)
