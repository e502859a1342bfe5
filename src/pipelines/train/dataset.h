// SPDX-License-Identifier: EUPL-1.2
// train.jsonl, valid.jsonl and test.jsonl as token ids with the tokens to learn marked
// (mlx-lm 2.1, 2.2). The first record decides the kind: completions, chat or text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/train/options.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace lem {

// Tokens [begin, end) of an example, begin >= 1: each is predicted from those before it.
struct TokenSpan {
  size_t begin = 0, end = 0;
};

struct Example {
  std::vector<int32_t> ids;
  std::vector<TokenSpan> learnt;  // ascending, disjoint
  // mlx-lm's view of the same: the first learnt position. It may lie beyond the end.
  size_t offset = 0;
  int64_t line = 0;      // in its file, from 1
  size_t json_keys = 0;  // members of the record, by which mlx-lm sorts

  int64_t counted() const;  // learnt tokens
};

enum class RecordKind : uint8_t { kCompletions, kChat, kText };
std::string_view NameOf(RecordKind kind);

// What turns a record into tokens.
struct Encoding {
  const Tokenizer* tokenizer = nullptr;
  const ChatTemplate* chat_template = nullptr;  // null: there is none; text records need none
  MaskMode mask = MaskMode::kNone;
  bool mlx_compat = false;  // trust the length of the rendered prompt, as mlx-lm does
  std::string prompt_feature = "prompt", completion_feature = "completion";
  std::string chat_feature = "messages", text_feature = "text";
};

struct Dataset {
  std::string where;   // its path
  std::string sha256;  // of the file; empty when there is none
  RecordKind kind = RecordKind::kText;
  std::vector<Example> examples;

  bool empty() const { return examples.empty(); }
  int64_t tokens() const;
  int64_t counted() const;
};

// Throws Error with file and line. A missing file is an empty set.
Dataset ReadDataset(const std::filesystem::path& path, const Encoding& encoding);
Dataset ParseDataset(std::string_view text, std::string_view where, const Encoding& encoding);

// What FitDataset did, by line number.
struct FitReport {
  std::vector<int64_t> truncated;  // longer than max_seq_length
  std::vector<int64_t> unlearnt;   // left out: no token to learn (after truncation)
  size_t longest = 0;              // tokens of the longest example as it was
};

// Cuts examples at max_seq_length and leaves out those with nothing to learn. Throws Error when
// nothing remains of a set that was not empty.
FitReport FitDataset(int64_t max_seq_length, Dataset* dataset);

// "lines 3, 17 and 4 more"
std::string DescribeLines(const std::vector<int64_t>& lines);

}  // namespace lem
