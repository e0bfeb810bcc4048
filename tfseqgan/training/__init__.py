"""The algorithm. May import: evaluation, files, models, objectives, ops.

distribute     tf.distribute, here and nowhere else
schedule       how much one round does
code_identity  which function a run was started with
checks         what is refused before training starts
seeding        seeds by (purpose, round, step)
batches        rows of similar length
checkpointing  what a stopped run needs to resume
callbacks      progress line, metrics.csv, TensorBoard
loop           rounds, callbacks, resume
weight_averaging  the average of the weights over the steps
steps          compiled updates of each model
best_epoch     the weights of the best epoch, and patience
pretraining    pretrain: maximum likelihood
discriminator_training  a discriminator trained to convergence and calibrated
adversarial    fit_adversarial: one round on one screen
"""
