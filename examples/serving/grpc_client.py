"""Ask a TensorFlow Serving server for tunes over gRPC, and write them as MIDI files; needs `pip install "tfseqgan[serving]"`.

python examples/serving/grpc_client.py --tokenizer saved_models/nottingham/1/assets/tokenizer.json --num 4 --out tunes
"""

import argparse
import sys
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

import tfseqgan as sg

DTYPES = {"seed": tf.int32, "temperature": tf.float32, "top_k": tf.int32, "top_p": tf.float32}


def predict(channel, model, signature, inputs, timeout=60):
    """Returns the outputs of a signature by name, as NumPy arrays with a row a tune.

    Args:
        channel: a gRPC channel to the server.
        model: the model's name.
        signature: the signature's name.
        inputs: name → list with an element a row.
        timeout: seconds.

    Raises:
        grpc.RpcError: with what the server says of a request that it refuses.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value, DTYPES[name]))
    response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(
        request, timeout=timeout
    )
    return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--address", default="localhost:8500", help="the server's gRPC address")
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
        with grpc.insecure_channel(args.address) as channel:
            outputs = predict(channel, args.model, args.signature, inputs)
    except grpc.RpcError as error:
        sys.exit(f"The server refused the request: {error.details()}")
    args.out.mkdir(parents=True, exist_ok=True)
    for number, (tokens, length) in enumerate(zip(outputs["tokens"], outputs["lengths"]), 1):
        path = args.out / f"tune_{number}.mid"
        sg.write_midi(tokenizer.decode(tokens[:length], name=f"tune {number}"), path)
        print(f"{path}: {length} tokens")


if __name__ == "__main__":
    main()
