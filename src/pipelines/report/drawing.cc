// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/report/drawing.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipelines/report/numbers.h"

namespace lem {
namespace {

constexpr double kWidth = 180, kHeight = 18, kMargin = 6;
constexpr double kPlane = 300, kPlaneLeft = 44, kPlaneBottom = 40;

double Place(double value, const Scale& scale) {
  const double share =
      scale.high > scale.low ? (value - scale.low) / (scale.high - scale.low) : 0.5;
  return kMargin + std::clamp(share, 0.0, 1.0) * (kWidth - 2 * kMargin);
}

}  // namespace

std::string IntervalSvg(double value, std::optional<double> low, std::optional<double> high,
                        const Scale& scale, std::optional<double> reference,
                        const std::string& label) {
  std::string svg = fmt::format(
      "<svg class=\"iv\" viewBox=\"0 0 {} {}\" width=\"{}\" height=\"{}\" role=\"img\" "
      "aria-label=\"{}\">",
      kWidth, kHeight, kWidth, kHeight, EscapeHtml(label));
  svg += fmt::format("<line class=\"axis\" x1=\"{}\" x2=\"{}\" y1=\"9\" y2=\"9\"/>", kMargin,
                     kWidth - kMargin);
  if (reference && *reference >= scale.low && *reference <= scale.high) {
    const double x = Place(*reference, scale);
    svg += fmt::format("<line class=\"ref\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"1\" y2=\"17\"/>", x);
  }
  if (low && high) {
    svg += fmt::format("<line class=\"bar\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"9\" y2=\"9\"/>",
                       Place(*low, scale), Place(*high, scale));
  }
  return svg + fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"9\" r=\"4\"/></svg>",
                           Place(value, scale));
}

std::string PlaneSvg(const std::vector<PlaneDot>& dots, const std::string& x_label,
                     const std::string& y_label) {
  const double width = kPlaneLeft + kPlane + 150, height = kPlane + kPlaneBottom + 10;
  const auto x = [](double v) { return kPlaneLeft + v * kPlane; };
  const auto y = [](double v) { return 10 + (1 - v) * kPlane; };
  std::string svg = fmt::format(
      "<svg class=\"plane\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{} against {}\">",
      width, height, EscapeHtml(y_label), EscapeHtml(x_label));
  svg += fmt::format("<rect class=\"frame\" x=\"{}\" y=\"10\" width=\"{}\" height=\"{}\"/>",
                     kPlaneLeft, kPlane, kPlane);
  for (const double tick : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    svg += fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\" text-anchor=\"middle\">{}</text>", x(tick),
                       kPlane + 26, tick);
    svg += fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\" text-anchor=\"end\">{}</text>",
                       kPlaneLeft - 5, y(tick) + 4, tick);
    svg +=
        fmt::format("<line class=\"axis\" x1=\"{0:.0f}\" x2=\"{0:.0f}\" y1=\"10\" y2=\"{1:.0f}\"/>",
                    x(tick), kPlane + 10);
    svg += fmt::format(
        "<line class=\"axis\" x1=\"{1:.0f}\" x2=\"{2:.0f}\" y1=\"{0:.0f}\" y2=\"{0:.0f}\"/>",
        y(tick), kPlaneLeft, kPlaneLeft + kPlane);
  }
  svg += fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\" text-anchor=\"middle\">{}</text>", x(0.5),
                     kPlane + 44, EscapeHtml(x_label));
  svg += fmt::format(
      "<text transform=\"translate(11,{:.0f}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
      y(0.5), EscapeHtml(y_label));
  double last = -100;
  std::vector<PlaneDot> sorted = dots;
  std::ranges::sort(sorted, {}, [](const PlaneDot& d) { return -d.y; });
  for (const PlaneDot& dot : sorted) {  // labels are pushed apart so that none covers another
    const double label_y = std::max(y(dot.y) + 4, last + 14);
    last = label_y;
    svg += fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6\"/>", x(dot.x),
                       y(dot.y));
    svg += fmt::format(
        "<line class=\"axis\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>",
        x(dot.x) + 6, y(dot.y), kPlaneLeft + kPlane + 6, label_y - 4);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", kPlaneLeft + kPlane + 9,
                       label_y, EscapeHtml(dot.label));
  }
  return svg + "</svg>";
}

}  // namespace lem
