"""Small-sample statistics: numbers in, estimates with their doubt out."""

from inspect import isfunction

from evalkit.stats.agreement import gwet_ac, krippendorff_alpha, raw_agreement
from evalkit.stats.agreement_flag import AgreementFlag, agreement_flag, deviating_graders
from evalkit.stats.alternatives import (
    bonett_price,
    fieller,
    jeffreys,
    log_ratio_t,
    mcnemar_exact,
    newcombe_paired,
    uniform_posterior,
)
from evalkit.stats.blinding import BlindingIndex, bang_index
from evalkit.stats.boundary import checked
from evalkit.stats.context import EffectiveLength, effective_length, isotonic_rates, slope_difference
from evalkit.stats.cost import (
    break_even,
    break_even_correction_usd,
    cost_per_satisfactory,
    cost_per_satisfactory_clustered,
    mean_cost,
)
from evalkit.stats.curve import LogisticCurve, logistic_per_doubling
from evalkit.stats.estimate import Estimate
from evalkit.stats.gate_power import lasting_share, noninferiority_items, noninferiority_power, smallest_passing_n
from evalkit.stats.gate_rule import noninferiority_p, shows_noninferiority, worse_p
from evalkit.stats.independent import rate_gap
from evalkit.stats.intraclass import icc_agreement, spearman_brown
from evalkit.stats.item_quality import ItemQuality, item_quality
from evalkit.stats.judge_bias import PositionBias, length_effect, position_bias, self_preference
from evalkit.stats.judge_errors import (
    AltTest,
    JudgeAccuracy,
    alt_test,
    judge_accuracy,
    judge_leaning,
    leniency_midp,
    loss_p,
)
from evalkit.stats.judged import double_sampling, ppi_mean, rogan_gladen, worth_extra_labels
from evalkit.stats.mean_power import miller_items
from evalkit.stats.means import mean_share
from evalkit.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, holm
from evalkit.stats.noninferiority import losses_allowed, noninferiority_exact_p
from evalkit.stats.paired import (
    Discordance,
    discordance,
    mcnemar_midp,
    paired_means,
    paired_rates,
    paired_rates_clustered,
    paired_worth,
    sign_flip_p,
)
from evalkit.stats.post_stratified import stratified_mean, stratified_quantile, stratified_rate, stratified_ratio
from evalkit.stats.power import detectable_difference, items_to_clear, items_to_separate
from evalkit.stats.quantile_ratio import quantile_ratio, quantile_ratios
from evalkit.stats.quantiles import dkw_epsilon, quantile, quantile_clustered, values_needed
from evalkit.stats.ranks import hodges_lehmann, larger_p, wilcoxon_pratt_p
from evalkit.stats.rates import ClusterDesign, cluster_design, rate, rate_clustered
from evalkit.stats.ratios import above_one_p, cost_ratio, geometric_mean_ratio, mean_cost_ratio
from evalkit.stats.retries import beta_retry, retry_cost, retry_cost_items, retry_success, retry_success_items
from evalkit.stats.routing import Cascade, cascade, cross_fitted_value, hull_area, realised_oracle, split_epoch_oracle
from evalkit.stats.sample_quantiles import sample_quantile
from evalkit.stats.sequential import (
    alpha_spent,
    betting_wealth,
    look_alphas,
    looks_p,
    obrien_fleming_z,
    worse_after,
    worse_wealth,
)
from evalkit.stats.severity import CochranQ, cochran_q, grader_severity
from evalkit.stats.stability import WinnerShares, cheapest, winner_shares
from evalkit.stats.stratified import paired_rates_stratified, shows_noninferiority_stratified, worse_p_stratified
from evalkit.stats.totals import human_fix_cost, with_failures
from evalkit.stats.trend import growth
from evalkit.stats.two_graders import weighted_kappa

__all__ = [
    "AgreementFlag",
    "AltTest",
    "BlindingIndex",
    "Cascade",
    "ClusterDesign",
    "CochranQ",
    "Discordance",
    "EffectiveLength",
    "Estimate",
    "ItemQuality",
    "JudgeAccuracy",
    "LogisticCurve",
    "PositionBias",
    "WinnerShares",
    "above_one_p",
    "agreement_flag",
    "alpha_spent",
    "alt_test",
    "bang_index",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "beta_retry",
    "betting_wealth",
    "bonett_price",
    "break_even",
    "break_even_correction_usd",
    "cascade",
    "cheapest",
    "cluster_design",
    "cochran_q",
    "cost_per_satisfactory",
    "cost_per_satisfactory_clustered",
    "cost_ratio",
    "cross_fitted_value",
    "detectable_difference",
    "deviating_graders",
    "discordance",
    "dkw_epsilon",
    "double_sampling",
    "effective_length",
    "fieller",
    "geometric_mean_ratio",
    "grader_severity",
    "growth",
    "gwet_ac",
    "hodges_lehmann",
    "holm",
    "hull_area",
    "human_fix_cost",
    "icc_agreement",
    "isotonic_rates",
    "item_quality",
    "items_to_clear",
    "items_to_separate",
    "jeffreys",
    "judge_accuracy",
    "judge_leaning",
    "krippendorff_alpha",
    "larger_p",
    "lasting_share",
    "length_effect",
    "leniency_midp",
    "log_ratio_t",
    "logistic_per_doubling",
    "look_alphas",
    "looks_p",
    "loss_p",
    "losses_allowed",
    "mcnemar_exact",
    "mcnemar_midp",
    "mean_cost",
    "mean_cost_ratio",
    "mean_share",
    "miller_items",
    "newcombe_paired",
    "noninferiority_exact_p",
    "noninferiority_items",
    "noninferiority_p",
    "noninferiority_power",
    "obrien_fleming_z",
    "paired_means",
    "paired_rates",
    "paired_rates_clustered",
    "paired_rates_stratified",
    "paired_worth",
    "position_bias",
    "ppi_mean",
    "quantile",
    "quantile_clustered",
    "quantile_ratio",
    "quantile_ratios",
    "rate",
    "rate_clustered",
    "rate_gap",
    "raw_agreement",
    "realised_oracle",
    "retry_cost",
    "retry_cost_items",
    "retry_success",
    "retry_success_items",
    "rogan_gladen",
    "sample_quantile",
    "self_preference",
    "shows_noninferiority",
    "shows_noninferiority_stratified",
    "sign_flip_p",
    "slope_difference",
    "smallest_passing_n",
    "spearman_brown",
    "split_epoch_oracle",
    "stratified_mean",
    "stratified_quantile",
    "stratified_rate",
    "stratified_ratio",
    "uniform_posterior",
    "values_needed",
    "weighted_kappa",
    "wilcoxon_pratt_p",
    "winner_shares",
    "with_failures",
    "worse_after",
    "worse_p",
    "worse_p_stratified",
    "worse_wealth",
    "worth_extra_labels",
]

for _name in __all__:  # checked once, where a caller enters: inside, the functions trust each other
    if isfunction(globals()[_name]):
        globals()[_name] = checked(globals()[_name])
