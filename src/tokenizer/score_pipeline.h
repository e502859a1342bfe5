// SPDX-License-Identifier: EUPL-1.2
// The steps around a vocabulary with scores, the same for tokenizer.model and GGUF: spaces become
// U+2581, perhaps one in front of the text.
#pragma once

#include "tokenizer/model.h"

namespace lem {

struct ScoreSpaces {
  bool space_prefix = true;    // one in front of the text
  bool single_spaces = false;  // runs become one, none stays at the ends
};

// Sets normalizer, decoder and bpe; needs where, vocabulary, scores and unknown.
void SetScorePipeline(const ScoreSpaces& spaces, Tokenizer::Model* model);

// As tokenizer.json spells them.
Json SpaceMarkNormalizer(const ScoreSpaces& spaces);
Json SpaceMarkDecoder(bool space_prefix);

}  // namespace lem
