"""Models in files and behind servers.

May import: arguments, evaluation, files, models, music, ops, symbols.

manifest           the hash of each file of a folder
shipped            the samplers that come with tfseqgan, by name
tokenizer_files    the tokenizer of a model
keras_files        `.keras` files, looked at before they are loaded
served_controls    controls within a served graph
signatures         what a served model computes
saved_model_check  what a SavedModel holds, looked at before it is loaded
exported_models    the models of an exported sampler, to train on
export             SavedModel for TensorFlow Serving
saved_sampler      an exported sampler in Python
pretrained         models and tokenizer in a folder
"""
