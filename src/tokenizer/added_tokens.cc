// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/added_tokens.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizer/unicode.h"

namespace lem {
namespace {

constexpr size_t kMaxContent = 1024;  // bounds the work per position of the text

uint8_t ClassBefore(std::string_view text, size_t at) {
  if (at == 0) return 0;
  size_t before = at - 1;
  while (before > 0 && (static_cast<uint8_t>(text[before]) & 0xC0) == 0x80) --before;
  return ClassOf(DecodeUtf8(text, before).value);
}

uint8_t ClassAt(std::string_view text, size_t at) {
  return at >= text.size() ? 0 : ClassOf(DecodeUtf8(text, at).value);
}

}  // namespace

void AddedTokenFinder::Add(std::string_view text, int32_t index, bool special) {
  if (nodes_.empty()) nodes_.emplace_back();
  int32_t node = 0;
  for (const char c : text) {
    const int32_t byte = static_cast<uint8_t>(c);
    const Merge edge = edges_.Find(node, byte);
    if (edge.result >= 0) {
      node = edge.result;
      continue;
    }
    const int32_t next = static_cast<int32_t>(nodes_.size());
    edges_.Put(node, byte, {0, next});
    nodes_.emplace_back();
    node = next;
  }
  if (nodes_[node].index < 0) nodes_[node] = {index, special};
  starts_[static_cast<uint8_t>(text[0])] = true;
}

AddedTokenFinder::Match AddedTokenFinder::At(std::string_view text, size_t at,
                                             bool specials) const {
  Match longest;
  int32_t node = 0;
  for (size_t i = at; i < text.size(); ++i) {
    node = edges_.Find(node, static_cast<uint8_t>(text[i])).result;
    if (node < 0) break;
    if (nodes_[node].index >= 0 && (specials || !nodes_[node].special)) {
      longest = {nodes_[node].index, i + 1 - at};
    }
  }
  return longest;
}

void AddedTokens::Add(AddedToken token, std::string_view where) {
  if (token.content.empty() || token.content.size() > kMaxContent) {
    Fail(where, ": expected added tokens of 1 to ", kMaxContent, " bytes, found one of ",
         token.content.size(), " bytes with id ", token.id, "; try another copy of the file");
  }
  if (const AddedToken* other = FindById(token.id)) {
    if (other->content == token.content) return;
    Fail(where, ": expected one added token per id, found \"", other->content, "\" and \"",
         token.content, "\" with id ", token.id, "; try another copy of the file");
  }
  if (token.id >= static_cast<int32_t>(by_id_.size())) by_id_.resize(token.id + 1);
  by_id_[token.id] = static_cast<int32_t>(tokens_.size()) + 1;
  finders_[token.normalized].Add(token.content, static_cast<int32_t>(tokens_.size()),
                                 token.special);
  tokens_.push_back(std::move(token));
}

void AddedTokens::AddSpelling(std::string_view text, bool normalized) {
  const int32_t index = static_cast<int32_t>(tokens_.size()) - 1;
  finders_[normalized].Add(text, index, tokens_.back().special);
}

const AddedToken* AddedTokens::FindById(int32_t id) const {
  if (id < 0 || id >= static_cast<int32_t>(by_id_.size()) || by_id_[id] == 0) return nullptr;
  return &tokens_[by_id_[id] - 1];
}

const AddedToken* AddedTokens::FindByContent(std::string_view content) const {
  if (content.empty()) return nullptr;
  for (const AddedTokenFinder& finder : finders_) {
    if (finder.empty()) continue;
    const auto match = finder.At(content, 0, true);
    if (match.index >= 0 && tokens_[match.index].content == content) return &tokens_[match.index];
  }
  return nullptr;
}

// Whether the token stands here; widens the span by the white space that it takes along.
bool AddedTokens::Accept(const AddedToken& token, std::string_view text, size_t done,
                         TextSpan* span) const {
  if (token.single_word) {
    if ((ClassBefore(text, span->begin) | ClassAt(text, span->end)) & kWord) return false;
  }
  if (token.left_strip) {
    while (span->begin > done && (ClassBefore(text, span->begin) & kWhiteSpace)) {
      --span->begin;
      while ((static_cast<uint8_t>(text[span->begin]) & 0xC0) == 0x80) --span->begin;
    }
  }
  if (token.right_strip) {
    while (ClassAt(text, span->end) & kWhiteSpace) {
      span->end += DecodeUtf8(text, span->end).length;
    }
  }
  return true;
}

void AddedTokens::Cut(std::string_view text, bool normalized, bool specials,
                      std::vector<Piece>* out) const {
  out->clear();
  const AddedTokenFinder& finder = finders_[normalized];
  size_t done = 0;
  for (size_t at = 0; !finder.empty() && at < text.size();) {
    if (!finder.CanStart(text[at])) {
      ++at;
      continue;
    }
    const auto match = finder.At(text, at, specials);
    if (match.index < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[match.index];
    TextSpan span{at, at + match.length};
    // White space that a token takes along is still searched, as Hugging Face's tokenizers do.
    at += match.length;
    if (!Accept(token, text, done, &span)) continue;
    if (span.begin > done) out->push_back({{done, span.begin}, -1});
    out->push_back({span, token.id});
    done = span.end;
  }
  if (done < text.size()) out->push_back({{done, text.size()}, -1});
}

}  // namespace lem
