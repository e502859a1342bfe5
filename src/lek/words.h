// SPDX-License-Identifier: EUPL-1.2
// Words as the rules on text compare them: ASCII lower case, typographic apostrophes folded, all
// other punctuation dropped. Each word keeps its place in the text, so that a finding can show it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lem {

struct Word {
  std::string text;
  size_t begin = 0, end = 0;  // bytes of the text
};

std::vector<Word> SplitWords(std::string_view text);

// Words as people count them: pieces between white space.
size_t CountWords(std::string_view text);

// How many words `phrase` has ("that's a great": words as SplitWords writes them, single spaces)
// when it stands in `words` at `at`; else 0.
size_t MatchPhrase(std::span<const Word> words, size_t at, std::string_view phrase);

// Words at, of, to and their like, that carry grammar and no subject.
bool IsFunctionWord(std::string_view word);

// A hash of words[at .. at + count), the same in every run.
uint64_t HashWords(std::span<const Word> words, size_t at, size_t count);

}  // namespace lem
