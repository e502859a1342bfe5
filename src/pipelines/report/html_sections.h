// SPDX-License-Identifier: EUPL-1.2
// Sections of the HTML page that stand for themselves: seeds, and what is known of the judges.
#pragma once

#include <string>

#include "pipelines/report/numbers.h"
#include "pipelines/report/report_data.h"

namespace lem {

// Empty when there is nothing to show.
std::string SeedsHtml(const ReportData& data, NumberBook* book);
std::string JudgesHtml(const ReportData& data, NumberBook* book);

}  // namespace lem
