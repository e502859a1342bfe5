// SPDX-License-Identifier: EUPL-1.2
// The one form that every tokenizer file is read into: the pipeline of model-formats 4.1.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "formats/json.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe.h"
#include "tokenizer/decoder.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace lem {

struct EncodingScratch {
  BpeScratch bpe;
  PreTokens pre_tokens;
  std::vector<AddedTokens::Piece> raw_pieces, normalized_pieces;
};

struct Tokenizer::Model {
  std::string where;  // the file, for messages
  Vocabulary vocabulary;
  AddedTokens added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  TokenDecoder decoder;
  Bpe bpe;

  // How merges are ranked: one of the two is empty.
  std::vector<MergePair> merges;
  std::vector<float> scores;

  std::vector<int32_t> prefix, suffix;  // what Encode adds around a text when specials are wanted
  std::optional<int32_t> bos, eos, pad, unknown;
  std::vector<int32_t> end_ids;  // sorted
  std::optional<std::string> chat_template;
  Json config;  // tokenizer_config.json where there was one, else null

  // Builds `bpe` from the vocabulary and the ranking; to be called once all of the above is set.
  void BuildBpe(BpeOptions options);
  void EncodeGap(std::string_view gap, bool at_start, bool parse_specials, EncodingScratch* scratch,
                 std::vector<int32_t>* ids) const;
  std::unique_ptr<EncodingScratch> TakeScratch() const;
  void ReturnScratch(std::unique_ptr<EncodingScratch> scratch) const;

 private:
  mutable std::mutex mutex_;  // encoding is const and may run in several threads
  mutable std::vector<std::unique_ptr<EncodingScratch>> idle_;
};

// Adds to model->end_ids the tokens whose text ends a turn in a known chat format
// (model-formats 5.4).
void AddEndIdsByText(Tokenizer::Model* model);
// Adds one id, keeping the list sorted and free of doubles; ignores ids that no token has.
void AddEndId(int64_t id, Tokenizer::Model* model);

}  // namespace lem
