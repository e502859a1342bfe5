// SPDX-License-Identifier: EUPL-1.2
// One function per command: flags in, a summary out, the exit code back. Throws lem::Error.
#pragma once

#include <string>
#include <vector>

namespace lem::cli {

using Arguments = std::vector<std::string>;

int Adapter(const Arguments& arguments);
int Bench(const Arguments& arguments);
int Chat(const Arguments& arguments);
int Compare(const Arguments& arguments);
int Convert(const Arguments& arguments);
int Data(const Arguments& arguments);
int Distill(const Arguments& arguments);
int Doctor(const Arguments& arguments);
int Export(const Arguments& arguments);
int Fuse(const Arguments& arguments);
int Generate(const Arguments& arguments);
int Import(const Arguments& arguments);
int JudgeCommand(const Arguments& arguments);  // Judge is a class of the library
int Kernel(const Arguments& arguments);
int Perplexity(const Arguments& arguments);
int Pull(const Arguments& arguments);
int Report(const Arguments& arguments);
int Score(const Arguments& arguments);
int Tokenize(const Arguments& arguments);
int Train(const Arguments& arguments);

}  // namespace lem::cli
