// SPDX-License-Identifier: EUPL-1.2
#include "base/error.h"
#include "tokenizer/model.h"

namespace lem {

struct StreamDecoder::State {
  const Tokenizer* tokenizer;
  bool skip_specials;
  std::string held;   // bytes that are not yet a whole character
  bool first = true;  // no token has been written
  size_t to_strip;    // bytes that may still be dropped from the start of the text
};

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_specials)
    : state_(std::make_unique<State>(
          State{&tokenizer, skip_specials, "", true, tokenizer.model().decoder.strip_limit()})) {}
StreamDecoder::~StreamDecoder() = default;

std::string StreamDecoder::Push(int32_t id) {
  State& state = *state_;
  const Tokenizer::Model& model = state.tokenizer->model();
  if (!model.vocabulary.Contains(id)) {
    Fail(model.where, ": expected token ids below ", model.vocabulary.size(), ", found ", id,
         "; try the tokenizer of the model that made it");
  }
  if (state.skip_specials && state.tokenizer->IsSpecial(id)) return {};
  const std::string_view piece = model.vocabulary.text(id);
  const size_t start = state.held.size();
  if (model.decoder.byte_level() && model.added.FindById(id) != nullptr) {
    state.held.append(piece);
  } else {
    model.decoder.Append(piece, state.first, &state.held);
  }
  state.first = false;
  while (state.to_strip > 0 && state.held.size() > start) {
    if (state.held[start] != model.decoder.strip_byte()) {
      state.to_strip = 0;
      break;
    }
    state.held.erase(start, 1);
    --state.to_strip;
  }
  size_t keep = 0;
  std::string text = TextOfBytes(state.held, model.decoder.replaces_each_byte(), &keep);
  state.held.erase(0, state.held.size() - keep);
  return text;
}

std::string StreamDecoder::Finish() {
  const bool each = state_->tokenizer->model().decoder.replaces_each_byte();
  std::string text = TextOfBytes(state_->held, each, nullptr);
  state_->held.clear();
  return text;
}

}  // namespace lem
