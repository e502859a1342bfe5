// SPDX-License-Identifier: EUPL-1.2
// The steps around a vocabulary with scores, the same for tokenizer.model and GGUF: spaces become
// U+2581, perhaps one in front of the text.
#pragma once

#include "tokenizer/model.h"

namespace lem {

// Sets normalizer, decoder and bpe; needs where, vocabulary, scores and unknown.
void SetScorePipeline(bool space_prefix, Tokenizer::Model* model);

// As tokenizer.json spells them.
Json SpaceMarkNormalizer(bool space_prefix);
Json SpaceMarkDecoder(bool space_prefix);

}  // namespace lem
