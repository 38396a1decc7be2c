"""Drawing, a module for each chapter of the lesson; ``drawing`` holds what they share.

Functions are named after what they show and return the matplotlib figure; ``show`` displays it.
"""
# ruff: noqa: F401

# first: it keeps matplotlib quiet while that is imported
from helpers.figures.drawing import COLOURS, INK, show

# isort: split
from helpers.figures.definitions import (
    plot_audit,
    plot_beta_in_training,
    plot_beta_limits,
    plot_choice_curve,
    plot_coverage,
    plot_cycle,
    plot_kept,
    plot_references,
    plot_support,
    plot_ways_to_fit,
)
from helpers.figures.derivation import (
    plot_ascent,
    plot_closing_the_loop,
    plot_displacement,
    plot_gold_against_kl,
    plot_implicit_reward,
    plot_policies,
    plot_rise_or_fall,
    plot_weights,
)
from helpers.figures.group_rl import plot_checkers, plot_divisions, plot_tries
from helpers.figures.hacking import plot_proxy_and_gold
from helpers.figures.intuition import (
    plot_best_of_n,
    plot_error_against_pairs,
    plot_fitted_rewards,
    plot_frontier,
    plot_generators,
    plot_gold_by_slice,
    plot_label_noise,
    plot_selection,
    plot_shares,
    plot_two_replies,
    plot_two_roads,
)
from helpers.figures.judges import plot_replications
from helpers.figures.labels import (
    plot_brier,
    plot_claimed,
    plot_ece_bias,
    plot_kappas,
    plot_orders,
    plot_reliability,
    plot_vote_rules,
)
from helpers.figures.length import plot_words
from helpers.figures.margins import plot_gold_by_method, plot_leaving, plot_losses
from helpers.figures.odds_and_thumbs import plot_lifted, plot_pulls
from helpers.figures.overfitting import plot_alarm, plot_shrunk
from helpers.figures.pipeline import plot_estimates, plot_estimator_noise, plot_kl_roads
from helpers.figures.ppo import (
    plot_batch_error,
    plot_brakes,
    plot_clip,
    plot_credit,
    plot_hump,
    plot_reuse,
    plot_training_log,
)
from helpers.figures.rewards import (
    plot_benchmark,
    plot_centring,
    plot_graded,
    plot_loss_forms,
    plot_margins,
    plot_reward_training,
)
from helpers.figures.rlaif import plot_coverage_and_policy
from helpers.figures.rlhf import plot_imitation, plot_masks, plot_reward_accuracy, plot_test_sets
from helpers.figures.tax import plot_refusals, plot_tax
from helpers.figures.tour import plot_run, plot_what_goes_wrong
from helpers.figures.clinic import plot_logs
