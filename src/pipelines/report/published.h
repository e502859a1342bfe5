// SPDX-License-Identifier: EUPL-1.2
// Numbers that others printed, beside what the runs give: does a text follow from its records?
#pragma once

#include <string>

#include "pipelines/report/report_data.h"

namespace lem {

// `file`: JSON lines {"source","task","metric","model","printed"} and where needed "minus" (a
// model: the printed number is a difference), "relative": true (a difference in percent of it),
// "percent": true (of a rate), "note". "printed" is a text; its decimals say how far it must agree.
std::string PublishedMarkdown(const ReportData& data, const std::string& file);

}  // namespace lem
