"""Runs the command `tfseqgan` as `python -m tfseqgan`."""

from tfseqgan.cli.main import run

if __name__ == "__main__":
    run()
