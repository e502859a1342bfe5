// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/dataset.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "pipelines/train/turns.h"

namespace lem {
namespace {

constexpr size_t kLargestFile = size_t{4} << 30;

RecordKind KindOf(const Json& first, std::string_view where, const Encoding& e) {
  if (first.Has(e.prompt_feature) && first.Has(e.completion_feature)) {
    return RecordKind::kCompletions;
  }
  if (first.Has(e.chat_feature)) return RecordKind::kChat;
  if (first.Has(e.text_feature)) return RecordKind::kText;
  std::string keys;
  if (first.IsObject()) {
    for (const auto& [key, value] : first.object()) keys += (keys.empty() ? "" : ", ") + key;
  }
  Fail(where, ": expected ", e.prompt_feature, " and ", e.completion_feature, ", or ",
       e.chat_feature, ", or ", e.text_feature, ", found ", keys.empty() ? "no keys" : keys,
       "; rename the keys or set prompt_feature, completion_feature, chat_feature or text_feature");
}

Json Turn(const char* role, const Json& content) {
  return Json(Json::Object{{"role", role}, {"content", content}});
}

// The conversation of one record.
Json MessagesOf(const Json& record, RecordKind kind, std::string_view where, const Encoding& e) {
  if (kind == RecordKind::kChat) {
    const Json& messages = record.At(e.chat_feature, where);
    if (!messages.IsArray() || messages.size() == 0) {
      Fail(where, ": ", e.chat_feature, ": expected a list of messages, found ",
           messages.IsArray() ? "an empty list" : "something else");
    }
    for (const Json& message : messages.array()) {
      message.At("role", where).AsString(std::string(where) + ": role");
    }
    return messages;
  }
  const Json& prompt = record.At(e.prompt_feature, where);
  const Json& completion = record.At(e.completion_feature, where);
  prompt.AsString(std::string(where) + ": " + e.prompt_feature);
  completion.AsString(std::string(where) + ": " + e.completion_feature);
  return Json(Json::Array{Turn("user", prompt), Turn("assistant", completion)});
}

Example EncodeText(const Json& record, std::string_view where, const Encoding& e) {
  const std::string& text =
      record.At(e.text_feature, where).AsString(std::string(where) + ": " + e.text_feature);
  Example example;
  example.ids = e.tokenizer->Encode(text, true);
  const auto eos = e.tokenizer->eos();
  if (eos && (example.ids.empty() || example.ids.back() != *eos)) example.ids.push_back(*eos);
  if (example.ids.size() > 1) example.learnt.push_back({1, example.ids.size()});
  return example;
}

}  // namespace

std::string_view NameOf(RecordKind kind) {
  constexpr std::string_view kNames[] = {"completions", "chat", "text"};
  return kNames[static_cast<size_t>(kind)];
}

int64_t Example::counted() const {
  int64_t count = 0;
  for (const TokenSpan& span : learnt) count += static_cast<int64_t>(span.end - span.begin);
  return count;
}

int64_t Dataset::tokens() const {
  int64_t count = 0;
  for (const Example& example : examples) count += static_cast<int64_t>(example.ids.size());
  return count;
}

int64_t Dataset::counted() const {
  int64_t count = 0;
  for (const Example& example : examples) count += example.counted();
  return count;
}

Dataset ReadDataset(const std::filesystem::path& path, const Encoding& encoding) {
  if (!std::filesystem::exists(path)) {
    Dataset none;
    none.where = path.string();
    return none;
  }
  const std::string text = ReadTextFile(path, kLargestFile);
  return ParseDataset(text, path.string(), encoding);
}

Dataset ParseDataset(std::string_view text, std::string_view where, const Encoding& encoding) {
  Dataset dataset;
  dataset.where = where;
  dataset.sha256 = Sha256Hex(text);
  bool first = true;
  int64_t line_number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++line_number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      if (!encoding.mlx_compat) continue;
      Fail(where, ":", line_number, ": expected a JSON object, found a blank line (mlx-lm refuses ",
           "it too); remove it, or leave out --compat mlx-lm");
    }
    const std::string here = std::string(where) + ":" + std::to_string(line_number);
    const Json record = Json::Parse(line, here);
    if (!record.IsObject()) Fail(here, ": expected a JSON object");
    if (first) {
      dataset.kind = KindOf(record, here, encoding);
      if (dataset.kind == RecordKind::kText && encoding.mask != MaskMode::kNone) {
        Fail(here, ": plain text has no prompt to mask; leave out --mask-prompt (--mask)");
      }
      first = false;
    }
    Example example = dataset.kind == RecordKind::kText
                          ? EncodeText(record, here, encoding)
                          : EncodeTurns(MessagesOf(record, dataset.kind, here, encoding),
                                        record.Find("tools"), here, encoding);
    example.line = line_number;
    example.json_keys = record.size();
    dataset.examples.push_back(std::move(example));
  }
  return dataset;
}

FitReport FitDataset(int64_t max_seq_length, Dataset* dataset) {
  FitReport report;
  const bool had_examples = !dataset->empty();
  const auto limit = static_cast<size_t>(max_seq_length);
  for (Example& example : dataset->examples) {
    report.longest = std::max(report.longest, example.ids.size());
    if (example.ids.size() > limit) {
      report.truncated.push_back(example.line);
      example.ids.resize(limit);
      for (TokenSpan& span : example.learnt) span.end = std::min(span.end, limit);
      std::erase_if(example.learnt, [](const TokenSpan& span) { return span.begin >= span.end; });
    }
    if (example.learnt.empty()) report.unlearnt.push_back(example.line);
  }
  std::erase_if(dataset->examples, [](const Example& example) { return example.learnt.empty(); });
  if (had_examples && dataset->empty()) {
    Fail(dataset->where, ": expected tokens to learn, found none in any of its ",
         report.unlearnt.size(), " examples",
         report.truncated.empty() ? "; check the roles of the messages, or use --mask none"
                                  : "; the answers lie beyond --max-seq-length: raise it");
  }
  return report;
}

std::string DescribeLines(const std::vector<int64_t>& lines) {
  constexpr size_t kNamed = 8;
  std::string text = lines.size() == 1 ? "line " : "lines ";
  for (size_t i = 0; i < std::min(lines.size(), kNamed); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(lines[i]);
  }
  if (lines.size() > kNamed) text += " and " + std::to_string(lines.size() - kNamed) + " more";
  return text;
}

}  // namespace lem
