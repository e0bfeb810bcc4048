"""Runs the command `tfseqgan` as `python -m tfseqgan`."""

from tfseqgan.cli import run

if __name__ == "__main__":
    run()
