"""Evaluation of trained autoencoders: code statistics, dictionaries, anomalies, hashing, and more.

`encoded_statistics` serves data whose codes do not fit in memory. `precision_within` and
`recall_within` together give a precision-recall curve over Hamming radii.
"""

from aejax.evaluation.activation_statistics import ActivationStatistics as ActivationStatistics
from aejax.evaluation.activation_statistics import activation_statistics as activation_statistics
from aejax.evaluation.activation_statistics import encoded_statistics as encoded_statistics
from aejax.evaluation.activation_statistics import treves_rolls as treves_rolls
from aejax.evaluation.anomaly import AnomalyScores as AnomalyScores
from aejax.evaluation.anomaly import anomaly_scores as anomaly_scores
from aejax.evaluation.anomaly import empirical_rank as empirical_rank
from aejax.evaluation.anomaly import feature_errors as feature_errors
from aejax.evaluation.anomaly import outlier_threshold as outlier_threshold
from aejax.evaluation.codebook_usage import CodebookUsage as CodebookUsage
from aejax.evaluation.codebook_usage import codebook_usage as codebook_usage
from aejax.evaluation.codebook_usage import usage_of_counts as usage_of_counts
from aejax.evaluation.copying import Copying as Copying
from aejax.evaluation.copying import copying as copying
from aejax.evaluation.copying import shuffled as shuffled
from aejax.evaluation.dictionary_recovery import Detection as Detection
from aejax.evaluation.dictionary_recovery import Matching as Matching
from aejax.evaluation.dictionary_recovery import absolute_cosines as absolute_cosines
from aejax.evaluation.dictionary_recovery import best_factors as best_factors
from aejax.evaluation.dictionary_recovery import best_units as best_units
from aejax.evaluation.dictionary_recovery import detection as detection
from aejax.evaluation.dictionary_recovery import match_one_to_one as match_one_to_one
from aejax.evaluation.dictionary_recovery import mean_correlation as mean_correlation
from aejax.evaluation.dictionary_recovery import mean_max_cosine as mean_max_cosine
from aejax.evaluation.dictionary_recovery import seed_stability as seed_stability
from aejax.evaluation.dictionary_recovery import uniqueness as uniqueness
from aejax.evaluation.dictionary_recovery import units_per_factor as units_per_factor
from aejax.evaluation.dictionary_statistics import DensityHistogram as DensityHistogram
from aejax.evaluation.dictionary_statistics import DictionaryStatistics as DictionaryStatistics
from aejax.evaluation.dictionary_statistics import density_histogram as density_histogram
from aejax.evaluation.dictionary_statistics import dictionary_statistics as dictionary_statistics
from aejax.evaluation.disentanglement import (
    disentanglement_and_completeness as disentanglement_and_completeness,
)
from aejax.evaluation.disentanglement import factor_entropies as factor_entropies
from aejax.evaluation.disentanglement import factor_information as factor_information
from aejax.evaluation.disentanglement import mutual_information_gap as mutual_information_gap
from aejax.evaluation.disentanglement import separated_predictability as separated_predictability
from aejax.evaluation.feature_hierarchies import Absorption as Absorption
from aejax.evaluation.feature_hierarchies import absorption as absorption
from aejax.evaluation.feature_hierarchies import split_parents as split_parents
from aejax.evaluation.frechet_distance import frechet_distance as frechet_distance
from aejax.evaluation.hashing import HammingBalls as HammingBalls
from aejax.evaluation.hashing import hamming_balls as hamming_balls
from aejax.evaluation.hashing import precision_at as precision_at
from aejax.evaluation.hashing import precision_within as precision_within
from aejax.evaluation.hashing import recall_within as recall_within
from aejax.evaluation.latent_paths import decoded as decoded
from aejax.evaluation.latent_paths import linear_path as linear_path
from aejax.evaluation.latent_paths import spherical_path as spherical_path
from aejax.evaluation.latent_paths import traversal as traversal
from aejax.evaluation.log_likelihood import LogLikelihood as LogLikelihood
from aejax.evaluation.log_likelihood import MeanWithError as MeanWithError
from aejax.evaluation.log_likelihood import log_likelihood as log_likelihood
from aejax.evaluation.log_likelihood import mean_with_error as mean_with_error
from aejax.evaluation.model_summary import ModelSummary as ModelSummary
from aejax.evaluation.model_summary import ParameterRow as ParameterRow
from aejax.evaluation.model_summary import summary as summary
from aejax.evaluation.posterior_statistics import AggregatePosterior as AggregatePosterior
from aejax.evaluation.posterior_statistics import RateDistortion as RateDistortion
from aejax.evaluation.posterior_statistics import active_units as active_units
from aejax.evaluation.posterior_statistics import aggregate_posterior as aggregate_posterior
from aejax.evaluation.posterior_statistics import rate_and_distortion as rate_and_distortion
from aejax.evaluation.rate_distortion_curves import RateDistortionCurve as RateDistortionCurve
from aejax.evaluation.rate_distortion_curves import (
    annealed_rate_distortion as annealed_rate_distortion,
)
from aejax.evaluation.score_estimation import score_estimate as score_estimate
from aejax.evaluation.seed_comparisons import Comparison as Comparison
from aejax.evaluation.seed_comparisons import above as above
from aejax.evaluation.seed_comparisons import below as below
from aejax.evaluation.seed_comparisons import interval as interval
from aejax.evaluation.segmentation import SegmentationMeasures as SegmentationMeasures
from aejax.evaluation.segmentation import confusion_matrix as confusion_matrix
from aejax.evaluation.segmentation import median_frequency_weights as median_frequency_weights
from aejax.evaluation.segmentation import segmentation_batch as segmentation_batch
from aejax.evaluation.segmentation import segmentation_measures as segmentation_measures
from aejax.evaluation.top_examples import TopExamples as TopExamples
from aejax.evaluation.top_examples import initial_top_examples as initial_top_examples
from aejax.evaluation.top_examples import merge_top_examples as merge_top_examples
from aejax.evaluation.top_examples import top_examples as top_examples
