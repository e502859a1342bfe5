// SPDX-License-Identifier: EUPL-1.2
#include "stats/multiplicity.h"

#include <algorithm>
#include <numeric>

namespace lem {
namespace {

std::vector<size_t> Order(std::span<const double> p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return p[i]; });
  return order;
}

}  // namespace

std::vector<double> HolmAdjust(std::span<const double> p) {
  std::vector<double> adjusted(p.size());
  double running = 0;
  const std::vector<size_t> order = Order(p);
  for (size_t rank = 0; rank < order.size(); ++rank) {
    running = std::max(running, p[order[rank]] * static_cast<double>(p.size() - rank));
    adjusted[order[rank]] = std::min(1.0, running);
  }
  return adjusted;
}

std::vector<double> BenjaminiHochbergAdjust(std::span<const double> p) {
  std::vector<double> adjusted(p.size());
  double running = 1;
  const std::vector<size_t> order = Order(p);
  for (size_t rank = order.size(); rank-- > 0;) {
    running = std::min(
        running, p[order[rank]] * static_cast<double>(p.size()) / static_cast<double>(rank + 1));
    adjusted[order[rank]] = running;
  }
  return adjusted;
}

}  // namespace lem
