"""Ask a TensorFlow Serving server for tunes over REST, and write them as MIDI files.

Nothing but the standard library speaks to the server; tfseqgan turns tokens into music, without TensorFlow.

    python examples/serving/rest_client.py --tokenizer saved_models/nottingham/1/assets/tokenizer.json --num 4 --out tunes
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

import tfseqgan as sg


def predict(url, model, signature, inputs, timeout=60):
    """Returns the outputs of a signature by name, each a list with an element a row.

    Args:
        url: the server's address.
        model: the model's name.
        signature: the signature's name.
        inputs: name → list with an element a row.
        timeout: seconds.

    Raises:
        RuntimeError: with what the server says of a request that it refuses.
    """
    body = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
    request = urllib.request.Request(
        f"{url}/v1/models/{model}:predict", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return json.load(response)["outputs"]
    except urllib.error.HTTPError as error:
        with error:
            raise RuntimeError(json.load(error)["error"]) from error


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://localhost:8501", help="the server's REST address")
    parser.add_argument("--model", default="nottingham", help="the model's name on the server")
    parser.add_argument(
        "--signature",
        default="sample",
        help="sample, or sample_best where the model has a discriminator",
    )
    parser.add_argument(
        "--tokenizer", type=Path, required=True, help="assets/tokenizer.json of the exported model"
    )
    parser.add_argument("--num", type=int, default=4, help="how many tunes")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same tunes")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-k", type=int, default=0, help="0 for all tokens")
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=Path("tunes"), help="folder for the MIDI files")
    args = parser.parse_args()

    tokenizer = sg.Tokenizer.load(args.tokenizer)
    options = {"temperature": args.temperature, "top_k": args.top_k, "top_p": args.top_p}
    inputs = {name: [value] * args.num for name, value in options.items()}
    inputs["seed"] = [
        [args.seed, row] for row in range(args.num)
    ]  # the seeds of tfseqgan's own `generate`
    try:
        outputs = predict(args.url, args.model, args.signature, inputs)
    except RuntimeError as error:
        sys.exit(f"The server refused the request: {error}")
    args.out.mkdir(parents=True, exist_ok=True)
    for number, (tokens, length) in enumerate(zip(outputs["tokens"], outputs["lengths"]), 1):
        path = args.out / f"tune_{number}.mid"
        sg.write_midi(tokenizer.decode(tokens[:length], name=f"tune {number}"), path)
        print(f"{path}: {length} tokens")


if __name__ == "__main__":
    main()
