// SPDX-License-Identifier: EUPL-1.2
// How far two raters agree, and how good a judge is against known labels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stats/intervals.h"

namespace lem {

enum class Distance : uint8_t { kNominal, kOrdinal, kInterval };

// Two raters' grades of the same items, as categories 0 .. categories - 1 in their natural order.
struct Agreement {
  double observed = 0;
  double cohen_kappa = 0, kappa_linear = 0, kappa_quadratic = 0;    // Cohen 1960, 1968
  double scott_pi = 0;                                              // Scott 1955
  double gwet_ac1 = 0;                                              // Gwet 2008
  double alpha_nominal = 0, alpha_ordinal = 0, alpha_interval = 0;  // Krippendorff
};
// A coefficient is not a number when chance agreement is complete (one category used) - except
// alpha, which is 1 by convention when all values agree.
Agreement MeasureAgreement(std::span<const int> first, std::span<const int> second, int categories);
// The same from a square table of counts, [category of first][category of second].
Agreement MeasureAgreement(const std::vector<std::vector<int64_t>>& counts);

// Percentile bootstrap of items, all coefficients from the same draws. Draws in which a coefficient
// is not defined (one category) are left out of its interval; not a number when most are.
struct AgreementIntervals {
  Interval cohen_kappa, gwet_ac1, alpha_nominal;
};
AgreementIntervals BootstrapAgreement(std::span<const int> first, std::span<const int> second,
                                      int categories, uint64_t seed, int draws = 2000,
                                      double level = 0.95);

// Krippendorff's alpha for any number of raters. ratings[rater][item]; a negative value is missing.
double KrippendorffAlpha(const std::vector<std::vector<int>>& ratings, int categories,
                         Distance distance);

struct BinaryCounts {
  int64_t true_positive = 0, false_positive = 0, false_negative = 0, true_negative = 0;
};
struct BinaryQuality {
  double precision = 0, recall = 0, specificity = 0, f1 = 0,
         mcc = 0;                                  // not a number when undefined
  Interval recall_interval, specificity_interval;  // Wilson
};
BinaryQuality MeasureBinary(const BinaryCounts& counts, double level = 0.95);

// The true rate behind a judge's rate p (Rogan and Gladen 1978; Lee et al., arXiv:2511.21140):
// theta = (p + q0 - 1) / (q0 + q1 - 1), q1 sensitivity, q0 specificity, both with the sizes of
// their calibration samples; delta-method interval, cut to [0, 1]. usable is false when q0 + q1 <=
// 1: the judge knows nothing.
struct CorrectedRate {
  bool usable = false;
  double rate = 0, standard_error = 0;
  Interval interval;
};
CorrectedRate CorrectRate(int64_t judged_positive, int64_t judged, int64_t true_positive,
                          int64_t positives, int64_t true_negative, int64_t negatives,
                          double level = 0.95);

// Prediction-powered mean (Angelopoulos et al., arXiv:2301.09633): judge scores on many items, and
// on the labelled ones both.
MeanEstimate PredictionPoweredMean(std::span<const double> judged,
                                   std::span<const double> labelled_judged,
                                   std::span<const double> labels, double level = 0.95);

}  // namespace lem
