"""The algorithm. May import: evaluation, files, models, objectives, ops.

distribute     tf.distribute, here and nowhere else
seeding        seeds by (purpose, round, step)
schedule       how much one round does
checks         what is refused before training starts
callbacks      progress line, metrics.csv, TensorBoard
checkpointing  what a stopped run needs to resume
loop           rounds, callbacks, resume
steps          compiled updates of each model
pretraining    pretrain: maximum likelihood
adversarial    fit_adversarial: one round on one screen
"""
