// SPDX-License-Identifier: EUPL-1.2
// The report as a Markdown file: what a person reads in a repository.
#pragma once

#include <string>

#include "pipelines/report/report_data.h"

namespace lem {

std::string WriteMarkdownPage(const ReportData& data, const ReportOptions& options);

// A text as the cell of a table.
std::string MarkdownCell(std::string text);

}  // namespace lem
