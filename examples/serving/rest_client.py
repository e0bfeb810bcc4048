r"""Ask a TensorFlow Serving server for tunes over REST, and write them as MIDI files.

Only Python's standard library talks to the server. tfseqgan turns the tokens into music, and
does not load TensorFlow for it.

    python examples/serving/rest_client.py \
        --tokenizer saved_models/nottingham/2/assets/tokenizer.json --num 4 --out tunes
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import tfseqgan as sg


def predict(
    url: str, model: str, signature: str, inputs: dict[str, list], timeout: float = 60
) -> dict[str, list]:
    """Calls a signature of a served model.

    Args:
        url: the server's address.
        model: the model's name on the server.
        signature: the signature's name.
        inputs: for each name, a list with one element for each tune.
        timeout: in seconds.

    Returns:
        For each output's name, a list with one element for each tune.

    Raises:
        RuntimeError: if the server refuses the request; the message is the server's.
    """
    body: dict[str, Any] = {"signature_name": signature, "inputs": inputs}
    request = urllib.request.Request(
        f"{url}/v1/models/{model}:predict",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )

    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return json.load(response)["outputs"]
    except urllib.error.HTTPError as error:
        with error:
            raise RuntimeError(json.load(error)["error"]) from error


def parse_arguments() -> argparse.Namespace:
    """Returns the options of the command line."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    add = parser.add_argument
    add("--url", default="http://localhost:8501", help="the server's REST address")
    add("--model", default="nottingham", help="the model's name on the server")
    add("--signature", default="sample", help="sample, or sample_best with a discriminator")
    add("--tokenizer", type=Path, required=True, help="assets/tokenizer.json of the saved model")
    for name, default in {"--num": 4, "--seed": 0, "--top-k": 0}.items():
        add(name, type=int, default=default)
    for name, default in {"--temperature": 1.0, "--top-p": 1.0, "--guidance": 0.0}.items():
        add(name, type=float, default=default)
    for name in ("--metre", "--key", "--rhythm"):
        add(name, help="what the tunes shall be; drawn where it is not asked for")
    add("--bars", type=int, help="how many bars, likewise")
    add("--out", type=Path, default=Path("tunes"), help="folder for the MIDI files")

    return parser.parse_args()


def main() -> None:
    """Asks for the tunes and writes them."""
    args = parse_arguments()
    tokenizer = sg.Tokenizer.load(args.tokenizer)
    inputs = {"seed": [[args.seed, row] for row in range(args.num)]}  # as `generate` does
    for name in ("temperature", "top_k", "top_p"):
        inputs[name] = [getattr(args, name)] * args.num
    if tokenizer.controls is not None:  # the tunes say what they are
        asked = sg.Controls(args.metre, args.key, args.bars, args.rhythm)
        inputs["controls"] = [tokenizer.controls.encode(asked).tolist()] * args.num
        inputs["guidance"] = [args.guidance] * args.num
    try:
        outputs = predict(args.url, args.model, args.signature, inputs)
    except RuntimeError as error:
        sys.exit(f"The server refused the request: {error}")

    args.out.mkdir(parents=True, exist_ok=True)
    rows = zip(outputs["tokens"], outputs["lengths"], strict=True)
    for number, (tokens, length) in enumerate(rows, start=1):
        path = args.out / f"tune_{number}.mid"
        sg.write_midi(tokenizer.decode(tokens[:length], name=f"tune {number}"), path)
        print(f"{path}: {length} tokens")


if __name__ == "__main__":
    main()
