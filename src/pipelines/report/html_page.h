// SPDX-License-Identifier: EUPL-1.2
// The report as one HTML page, and the numbers printed on it.
#pragma once

#include <filesystem>
#include <string>

#include "pipelines/report/numbers.h"
#include "pipelines/report/report_data.h"

namespace lem {

// `page` is where it will lie: run folders are named relative to it.
std::string WriteHtmlPage(const ReportData& data, const ReportOptions& options,
                          const std::filesystem::path& page, NumberBook* book);

// Style sheet and script of the page.
extern const char kPageStyle[];
extern const char kPageScript[];

}  // namespace lem
