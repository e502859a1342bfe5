// SPDX-License-Identifier: EUPL-1.2
// Small pictures in SVG, drawn here: intervals on a common scale, and the safety plane.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lem {

struct Scale {
  double low = 0, high = 1;
};

// A dot with its interval; a light line at `reference` when it lies on the scale.
std::string IntervalSvg(double value, std::optional<double> low, std::optional<double> high,
                        const Scale& scale, std::optional<double> reference,
                        const std::string& label);

struct PlaneDot {
  double x = 0, y = 0;
  std::string label;
};
std::string PlaneSvg(const std::vector<PlaneDot>& dots, const std::string& x_label,
                     const std::string& y_label);

}  // namespace lem
