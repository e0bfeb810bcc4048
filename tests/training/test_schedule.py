"""Claims about tfseqgan.training.schedule."""

import dataclasses
import inspect
import subprocess
import sys

import pytest

from tfseqgan.training.adversarial import fit_adversarial
from tfseqgan.training.schedule import Schedule


@pytest.mark.parametrize("steps, batch_size, samples", [(5, 64, 160), (3, 7, 9), (1, 2, 1)])
def test_by_default_a_round_generates_as_many_sequences_as_its_discriminator_steps_need(
    steps, batch_size, samples
):
    schedule = Schedule(discriminator_steps=steps, discriminator_batch_size=batch_size)

    assert schedule.discriminator_samples == samples


def test_a_given_number_of_generated_sequences_is_kept():
    schedule = Schedule(discriminator_steps=263, discriminator_samples=1400)

    assert schedule.discriminator_samples == 1400


@pytest.mark.parametrize("batch_size, half", [(64, 32), (7, 3), (1, 0)])
def test_half_of_a_discriminator_batch_is_rounded_down(batch_size, half):
    assert Schedule(discriminator_batch_size=batch_size).half_batch == half


def test_a_schedule_has_the_defaults_of_fit_adversarial():
    parameters = inspect.signature(fit_adversarial).parameters

    for field in dataclasses.fields(Schedule):
        assert field.default == parameters[field.name].default, field.name


def test_a_schedule_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Schedule().batch_size = 3


@pytest.mark.processes
def test_the_schedule_is_imported_without_tensorflow():
    code = (
        "import sys, tfseqgan.training.schedule\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
