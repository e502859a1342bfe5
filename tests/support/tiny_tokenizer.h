// SPDX-License-Identifier: EUPL-1.2
// A tokenizer.json small enough to follow by hand, and places to break it.
#pragma once

#include <string>
#include <string_view>

#include "formats/json.h"
#include "tokenizer/tokenizer.h"

namespace lem::testing {

// Byte-level, GPT-2's pattern. Ids: 0 <s>, 1 </s>, 2.. a b c, 5 ab, 6 abc, 7 G (space), 8 Ga, 9 1,
// 10 2.
inline Json TinyByteLevel() {
  return Json::Parse(R"({
    "added_tokens": [
      {"id": 0, "content": "<s>", "special": true, "normalized": false},
      {"id": 1, "content": "</s>", "special": true, "normalized": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": null,
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"<s>": 0, "</s>": 1, "a": 2, "b": 3, "c": 4, "ab": 5,
      "abc": 6, "\u0120": 7, "\u0120a": 8, "1": 9, "2": 10},
      "merges": [["a", "b"], ["ab", "c"], ["\u0120", "a"]]}})",
                     "tiny");
}

// As Gemma's: spaces become U+2581, bytes for what is unknown, <s> in front.
inline Json TinyMarked() {
  Json json = Json::Parse(R"({
    "added_tokens": [{"id": 0, "content": "<s>", "special": true, "normalized": false}],
    "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
    "pre_tokenizer": null,
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}},
    "decoder": {"type": "Sequence", "decoders": [
      {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
      {"type": "ByteFallback"}, {"type": "Fuse"}]},
    "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
      "vocab": {"<s>": 0, "<unk>": 1, "a": 2, "b": 3, "ab": 4, "\u2581": 5, "\u2581a": 6},
      "merges": ["a b", "\u2581 a"]}})",
                          "tiny");
  Json* vocabulary = json.Find("model")->Find("vocab");
  for (int byte = 0; byte < 256; ++byte) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    vocabulary->Set(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">", 7 + byte);
  }
  return json;
}

inline Tokenizer MakeTokenizer(const Json& json, std::string_view config = "{}") {
  return Tokenizer::FromJson(json, Json::Parse(config, "config"), "tiny");
}

}  // namespace lem::testing
