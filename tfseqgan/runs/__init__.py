"""A run in a folder, from the data to the tunes.

May import: datasets, evaluation, files, models, music, objectives, ops, serving, training.

settings      every setting of a run by name; presets
installation  versions, the machine, the models that come with tfseqgan; no TensorFlow
run_records   what a run says of itself in small files; no TensorFlow
comparison    finished runs side by side; no TensorFlow
fine_tuning   the settings of a run that starts from a trained model
run_folder    what a run's folder holds
start         what a run starts from: random weights, or a trained model
outcome       how good a run is, why, and what would help
finished_run  sampling, evaluation and export of a finished run
judging       fresh judges of a finished run
train_run     a whole run
speed         how fast a preset trains on this machine
"""
