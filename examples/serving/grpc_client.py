r"""Ask a TensorFlow Serving server for tunes over gRPC, and write them as MIDI files.

It needs the extra "serving": pip install "tfseqgan[serving]"

    python examples/serving/grpc_client.py \
        --tokenizer saved_models/nottingham/2/assets/tokenizer.json --num 4 --out tunes
"""

import argparse
import sys
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

import tfseqgan as sg

DTYPES = {"temperature": tf.float32, "top_p": tf.float32, "guidance": tf.float32}


def predict(
    channel: grpc.Channel, model: str, signature: str, inputs: dict[str, list], timeout: float = 60
) -> dict[str, np.ndarray]:
    """Calls a signature of a served model.

    Args:
        channel: a gRPC channel to the server.
        model: the model's name on the server.
        signature: the signature's name.
        inputs: for each name, a list with one element for each tune.
        timeout: in seconds.

    Returns:
        For each output's name, an array with one row for each tune.

    Raises:
        grpc.RpcError: if the server refuses the request; its details are the server's message.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value, DTYPES.get(name, tf.int32)))

    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = stub.Predict(request, timeout=timeout)

    return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}


def parse_arguments() -> argparse.Namespace:
    """Returns the options of the command line."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    add = parser.add_argument
    add("--address", default="localhost:8500", help="the server's gRPC address")
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
        with grpc.insecure_channel(args.address) as channel:
            outputs = predict(channel, args.model, args.signature, inputs)
    except grpc.RpcError as error:
        sys.exit(f"The server refused the request: {error.details()}")

    args.out.mkdir(parents=True, exist_ok=True)
    rows = zip(outputs["tokens"], outputs["lengths"], strict=True)
    for number, (tokens, length) in enumerate(rows, start=1):
        path = args.out / f"tune_{number}.mid"
        sg.write_midi(tokenizer.decode(tokens[:length], name=f"tune {number}"), path)
        print(f"{path}: {length} tokens")


if __name__ == "__main__":
    main()
