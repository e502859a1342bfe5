// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/pre_tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/unicode.h"

namespace lem {
namespace {

constexpr int kMaxDepth = 8;
constexpr size_t kMaxSteps = 64;

struct Part {
  TextSpan span;
  bool match = false;
};

SplitBehavior ReadBehavior(const Json& json, std::string_view where) {
  const std::string name = json.At("behavior", where).AsString(where);
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  RefuseType(where, "split behavior", name,
             "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

// Which neighbours `next` joins: a match the piece before it, and so on.
bool Joins(SplitBehavior behavior, const Part& last, const Part& next) {
  switch (behavior) {
    case SplitBehavior::kMergedWithPrevious:
      return next.match && !last.match;
    case SplitBehavior::kMergedWithNext:
      return last.match && !next.match;
    case SplitBehavior::kContiguous:
      return last.match == next.match;
    default:
      return false;
  }
}

void EmitParts(const std::vector<Part>& parts, SplitBehavior behavior, std::vector<TextSpan>* out) {
  for (size_t i = 0; i < parts.size(); ++i) {
    if (behavior == SplitBehavior::kRemoved && parts[i].match) continue;
    if (i > 0 && Joins(behavior, parts[i - 1], parts[i])) {
      out->back().end = parts[i].span.end;
    } else {
      out->push_back(parts[i].span);
    }
  }
}

// Cuts every span where `classify` changes; `alone`: matching characters are cut one by one.
template <class Classify>
void CutByClass(bool alone, Classify classify, PreTokens* tokens) {
  tokens->next.clear();
  for (const TextSpan& span : tokens->spans) {
    const std::string_view text = tokens->text.substr(0, span.end);
    size_t begin = span.begin;
    bool inside = false;
    for (size_t at = span.begin; at < span.end;) {
      const CodePoint c = DecodeUtf8(text, at);
      const bool match = classify(ClassOf(c.value));
      if (at > begin && (match != inside || (match && alone))) {
        tokens->next.push_back({begin, at});
        begin = at;
      }
      inside = match;
      at += std::max<size_t>(1, c.length);
    }
    if (span.end > begin) tokens->next.push_back({begin, span.end});
  }
  tokens->spans.swap(tokens->next);
}

// Writes the text anew, span by span.
template <class Rewrite>
void RewriteSpans(Rewrite rewrite, PreTokens* tokens) {
  std::string out;
  tokens->next.clear();
  for (const TextSpan& span : tokens->spans) {
    const size_t begin = out.size();
    rewrite(tokens->text.substr(span.begin, span.end - span.begin), span.begin, &out);
    tokens->next.push_back({begin, out.size()});
  }
  tokens->spans.swap(tokens->next);
  tokens->rewritten = std::move(out);
  tokens->text = tokens->rewritten;
}

}  // namespace

PreTokenizer PreTokenizer::FromJson(const Json& json, std::string_view where) {
  PreTokenizer pre;
  if (json.IsNull()) return pre;
  pre.AddStep(json, where, 0);
  pre.json_ = json;
  return pre;
}

void PreTokenizer::AddStep(const Json& json, std::string_view where, int depth) {
  if (depth > kMaxDepth || steps_.size() > kMaxSteps) {
    Fail(where, ": expected a pre-tokenizer of at most ", kMaxSteps,
         " steps, found more; try the model's GGUF file");
  }
  const std::string type = TypeOf(json, where);
  if (byte_level_ && type != "Sequence") {
    Fail(where, ": expected ByteLevel to be the last pre-tokenizer, found \"", type,
         "\" after it; try the model's GGUF file");
  }
  if (type == "Sequence") {
    for (const Json& step : json.At("pretokenizers", where).AsArray(where)) {
      AddStep(step, where, depth + 1);
    }
  } else if (type == "ByteLevel") {
    AddByteLevel(json, where);
  } else if (type == "Split") {
    AddSplit(json, where);
  } else if (type == "Digits") {
    steps_.push_back(Digits{BoolField(json, "individual_digits", false, where)});
  } else if (type == "WhitespaceSplit") {
    steps_.push_back(Spaces{});
  } else if (type == "Metaspace") {
    AddMetaspace(json, where);
  } else {
    RefuseType(where, "pre-tokenizer", type,
               "Sequence, ByteLevel, Split, Digits, Metaspace, WhitespaceSplit");
  }
}

void PreTokenizer::AddByteLevel(const Json& json, std::string_view where) {
  if (BoolField(json, "add_prefix_space", true, where)) steps_.push_back(LeadingSpace{});
  if (BoolField(json, "use_regex", true, where)) {
    Split split;
    split.scanner = ScanGpt2;
    steps_.push_back(std::move(split));
  }
  byte_level_ = true;
}

void PreTokenizer::AddSplit(const Json& json, std::string_view where) {
  Split split;
  const PatternField pattern = ReadPattern(json, where);
  split.behavior = ReadBehavior(json, where);
  split.invert = BoolField(json, "invert", false, where);
  if (!pattern.is_regex) {
    split.text = pattern.text;
  } else {
    // Everything is matched by these, so inverting changes nothing where matches stay pieces.
    const bool keeps = split.behavior == SplitBehavior::kIsolated ||
                       (split.behavior == SplitBehavior::kRemoved && split.invert);
    split.scanner = keeps ? ScannerFor(pattern.text) : nullptr;
    if (split.scanner == nullptr) split.pattern.emplace(pattern.text, where);
  }
  steps_.push_back(std::move(split));
}

void PreTokenizer::AddMetaspace(const Json& json, std::string_view where) {
  Metaspace step;
  step.mark = StringField(json, "replacement", "\xE2\x96\x81", where);
  step.split = BoolField(json, "split", true, where);
  const bool legacy_prefix = BoolField(json, "add_prefix_space", true, where);
  const std::string scheme =
      StringField(json, "prepend_scheme", legacy_prefix ? "always" : "never", where);
  if (scheme == "always") {
    step.prefix = Prefix::kAlways;
  } else if (scheme == "first") {
    step.prefix = Prefix::kFirst;
  } else if (scheme == "never") {
    step.prefix = Prefix::kNever;
  } else {
    RefuseType(where, "Metaspace prepend_scheme", scheme, "always, first, never");
  }
  steps_.push_back(std::move(step));
}

void PreTokenizer::Run(const Split& step, PreTokens* tokens) {
  tokens->next.clear();
  std::vector<Part> parts;
  for (const TextSpan& span : tokens->spans) {
    const std::string_view text = tokens->text.substr(span.begin, span.end - span.begin);
    if (step.scanner != nullptr) {
      for (size_t at = 0; at < text.size();) {
        const size_t end = step.scanner(text, at);
        tokens->next.push_back({span.begin + at, span.begin + end});
        at = end;
      }
      continue;
    }
    parts.clear();
    size_t done = 0;
    const auto add = [&](size_t begin, size_t end, bool match) {
      if (end > begin) parts.push_back({{span.begin + begin, span.begin + end}, match});
    };
    const auto found = [&](TextSpan match) {
      add(done, match.begin, step.invert);
      add(match.begin, match.end, !step.invert);
      done = match.end;
    };
    if (step.pattern) {
      step.pattern->FindAll(text, found);
    } else {
      for (size_t at = text.find(step.text); at != text.npos; at = text.find(step.text, done)) {
        found({at, at + step.text.size()});
      }
    }
    add(done, text.size(), step.invert);
    EmitParts(parts, step.behavior, &tokens->next);
  }
  tokens->spans.swap(tokens->next);
}

void PreTokenizer::Run(const Digits& step, PreTokens* tokens) {
  CutByClass(
      step.individual, [](uint8_t classes) { return (classes & kNumber) != 0; }, tokens);
}

void PreTokenizer::Run(const Spaces&, PreTokens* tokens) {
  CutByClass(
      false, [](uint8_t classes) { return (classes & kWhiteSpace) != 0; }, tokens);
  std::erase_if(tokens->spans, [&](const TextSpan& span) {
    return ClassOf(DecodeUtf8(tokens->text, span.begin).value) & kWhiteSpace;
  });
}

void PreTokenizer::Run(const Metaspace& step, bool at_start, PreTokens* tokens) {
  RewriteSpans(
      [&](std::string_view text, size_t begin, std::string* out) {
        const std::string marked = ReplaceAll(text, " ", step.mark);
        const bool prefix = step.prefix == Prefix::kAlways ||
                            (step.prefix == Prefix::kFirst && at_start && begin == 0);
        if (prefix && !marked.starts_with(step.mark)) out->append(step.mark);
        out->append(marked);
      },
      tokens);
  if (!step.split) return;
  Split split;
  split.text = step.mark;
  split.behavior = SplitBehavior::kMergedWithNext;
  Run(split, tokens);
}

void PreTokenizer::Run(const LeadingSpace&, PreTokens* tokens) {
  RewriteSpans(
      [](std::string_view text, size_t, std::string* out) {
        if (text.front() != ' ') *out += ' ';
        out->append(text);
      },
      tokens);
}

void PreTokenizer::Apply(std::string_view text, bool at_start, PreTokens* out) const {
  out->text = text;
  out->spans.clear();
  if (text.empty()) return;
  out->spans.push_back({0, text.size()});
  for (const Step& step : steps_) {
    std::visit(
        [&](const auto& s) {
          if constexpr (std::is_same_v<std::decay_t<decltype(s)>, Metaspace>) {
            Run(s, at_start, out);
          } else {
            Run(s, out);
          }
        },
        step);
  }
}

}  // namespace lem
