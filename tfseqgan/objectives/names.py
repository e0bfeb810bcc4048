"""The names of rewards, credits, baselines and recipes, for configurations and the command line.

The tables that give the parts by name (`rewards.REWARDS`, `credit.CREDITS`, `baselines.BASELINES`,
`recipes.RECIPES`) have exactly these keys. The names stand apart so that `tfseqgan --help` can show
them without TensorFlow.
"""

REWARD_NAMES = ("probability", "log", "logit", "odds", "none")
CREDIT_NAMES = ("terminal", "prefix", "rollout")
BASELINE_NAMES = ("none", "batch_mean", "leave_one_out", "moving_average")
RECIPE_NAMES = ("reinforce", "reinforce_with_baseline", "merl", "kl_control", "maligan", "seqgan")
