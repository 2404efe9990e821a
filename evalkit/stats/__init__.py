"""Small-sample statistics: numbers in, estimates with their doubt out."""

from evalkit.stats.cost import (
    break_even_correction_usd,
    cost_per_satisfactory,
    cost_per_satisfactory_clustered,
    human_fix_cost,
    mean_cost,
)
from evalkit.stats.estimate import Estimate
from evalkit.stats.noninferiority import losses_allowed, noninferiority_exact_p
from evalkit.stats.paired import (
    Discordance,
    discordance,
    holm,
    mcnemar_midp,
    paired_means,
    paired_rates,
    paired_rates_clustered,
    sign_flip_p,
)
from evalkit.stats.quantiles import dkw_epsilon, quantile, quantile_clustered, values_needed
from evalkit.stats.rates import ClusterDesign, cluster_design, rate, rate_clustered
from evalkit.stats.ratios import cost_ratio, geometric_mean_ratio, mean_cost_ratio
from evalkit.stats.retries import beta_retry, retry_cost, retry_cost_items, retry_success, retry_success_items

__all__ = [
    "ClusterDesign",
    "Discordance",
    "Estimate",
    "beta_retry",
    "break_even_correction_usd",
    "cluster_design",
    "cost_per_satisfactory",
    "cost_per_satisfactory_clustered",
    "cost_ratio",
    "discordance",
    "dkw_epsilon",
    "geometric_mean_ratio",
    "holm",
    "human_fix_cost",
    "losses_allowed",
    "mcnemar_midp",
    "mean_cost",
    "mean_cost_ratio",
    "noninferiority_exact_p",
    "paired_means",
    "paired_rates",
    "paired_rates_clustered",
    "quantile",
    "quantile_clustered",
    "rate",
    "rate_clustered",
    "retry_cost",
    "retry_cost_items",
    "retry_success",
    "retry_success_items",
    "sign_flip_p",
    "values_needed",
]
