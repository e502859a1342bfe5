// SPDX-License-Identifier: EUPL-1.2
// Text to token ids and back: one BPE core for tokenizer.json, tokenizer.model and GGUF metadata
// (model-formats 4, 6.3).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"
#include "formats/json.h"

namespace lem {

class Tokenizer {
 public:
  // From a model folder (tokenizer.json, else tokenizer.model, else vocab.json + merges.txt, with
  // tokenizer_config.json and friends) or a .gguf file. Throws Error.
  static Tokenizer Load(const std::filesystem::path& model);
  static Tokenizer FromGguf(const Gguf& gguf);
  static Tokenizer FromJson(const Json& tokenizer_json, const Json& tokenizer_config,
                            std::string_view where);
  static Tokenizer FromSentencePiece(std::span<const std::byte> proto, const Json& tokenizer_config,
                                     std::string_view where);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // `specials`: add BOS/EOS as the tokenizer's own rule says (tokenizer.encode of its peers).
  // `parse_specials`: text such as "<end_of_turn>" becomes its token; false treats it as plain
  // text.
  std::vector<int32_t> Encode(std::string_view text, bool specials,
                              bool parse_specials = true) const;

  // Whole sequences. Invalid UTF-8 becomes U+FFFD. skip_specials drops control tokens.
  std::string Decode(std::span<const int32_t> ids, bool skip_specials = false) const;
  // The raw piece of one id as the vocabulary spells it ("\u2581the", "<0x0A>", "\u0120the").
  std::string Piece(int32_t id) const;

  int32_t vocab_size() const;  // ids are 0 .. vocab_size - 1 (added tokens included)
  std::optional<int32_t> bos() const;
  std::optional<int32_t> eos() const;  // the tokenizer's own scalar eos_token_id
  std::optional<int32_t> pad() const;
  std::optional<int32_t> unknown() const;
  bool adds_bos() const;
  // Ids at which generation ends: the tokenizer's eos and tokens that end a turn
  // (model-formats 5.4).
  const std::vector<int32_t>& end_ids() const;
  std::optional<int32_t> FindToken(
      std::string_view piece) const;  // exact vocabulary or added token
  bool IsSpecial(int32_t id) const;

  // The chat template found with the tokenizer (Jinja source), if any.
  const std::optional<std::string>& chat_template() const;
  std::string bos_text() const;  // "" when there is none; what templates call bos_token
  std::string eos_text() const;

  // tokenizer.json and tokenizer_config.json that give the same ids in every peer.
  Json ToTokenizerJson() const;
  Json ToTokenizerConfig() const;
  // The tokenizer.ggml.* metadata that gives the same ids in llama.cpp.
  std::vector<std::pair<std::string, GgufValue>> ToGguf() const;
  std::string Hash() const;  // SHA-256 of vocabulary, merges and settings

  struct Model;
  explicit Tokenizer(std::unique_ptr<Model> model);
  const Model& model() const { return *model_; }

 private:
  std::unique_ptr<Model> model_;
};

// Streaming decode: bytes are held back until they are whole characters, so text never flickers.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_specials = true);
  ~StreamDecoder();
  std::string Push(int32_t id);  // text that became certain
  std::string Finish();          // what was held back, with U+FFFD where it is no character

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lem
