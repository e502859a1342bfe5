// SPDX-License-Identifier: EUPL-1.2
// One answer as it grows: ids in, text out, ended before the first stop string.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipelines/stop_strings.h"
#include "tokenizer/tokenizer.h"

namespace lem {

class AnswerStream {
 public:
  AnswerStream(const Tokenizer& tokenizer, const std::vector<std::string>& stops)
      : decoder_(tokenizer), stops_(stops), vocab_size_(tokenizer.vocab_size()) {}

  // The text that became certain with this id. An id beyond the tokenizer's has no text: models pad
  // their vocabulary, and a high temperature may draw the padding.
  std::string Push(int32_t id) {
    return id < vocab_size_ ? Keep(stops_.Push(decoder_.Push(id))) : "";
  }
  // What was held back. Call once, when no more ids come.
  std::string Finish() {
    std::string rest = stops_.Push(decoder_.Finish());
    return Keep(rest + stops_.Finish());
  }
  bool stopped() const { return stops_.hit(); }  // by a stop string
  const std::string& text() const { return text_; }

 private:
  std::string Keep(std::string piece) {
    text_ += piece;
    return piece;
  }
  StreamDecoder decoder_;
  StopStrings stops_;
  int32_t vocab_size_;
  std::string text_;
};

}  // namespace lem
