// SPDX-License-Identifier: EUPL-1.2
// The two ways of ranking merges, each from the other.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/bpe.h"
#include "tokenizer/vocabulary.h"

namespace lem {

// Every pair of pieces whose joined text is a piece, the highest score first; of equal scores the
// longer left part, then the longer right part, then the lower ids. User-defined pieces come before
// all others, since SentencePiece takes them whole.
std::vector<MergePair> MergesOfScores(const Vocabulary& vocabulary,
                                      const std::vector<float>& scores);

// Scores that rank as the merges do: minus the place of a piece's first merge; characters last.
// Throws Error when no scores can, because the merges of one piece have places between those of
// another, or because a pair that joins to a piece is not among them.
std::vector<float> ScoresOfMerges(const Vocabulary& vocabulary,
                                  const std::vector<MergePair>& merges, std::string_view where);

}  // namespace lem
