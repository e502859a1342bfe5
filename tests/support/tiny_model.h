// SPDX-License-Identifier: EUPL-1.2
// A tiny model that can speak: a random fixture of tests/fixtures with a tokenizer of sixty-three
// single characters and tokens beside it, so that whole pipelines run in a test.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "formats/json.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace lem::testing {

inline constexpr char kTinyTemplate[] =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + "
    "'\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

// Ids: 0 <pad>, 1 <s>, 2 </s>, 3 <|im_start|>, 4 <|im_end|>, 5 space, 6 newline, 7.. a-z, A-Z, ".
// ,"
inline Json TinyTokenizerJson() {
  Json vocab = Json::MakeObject(), added = Json::MakeArray();
  int id = 0;
  for (const char* token : {"<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"}) {
    added.Append(Json(Json::Object{{"id", id},
                                   {"content", token},
                                   {"single_word", false},
                                   {"lstrip", false},
                                   {"rstrip", false},
                                   {"normalized", false},
                                   {"special", true}}));
    vocab.Set(token, id++);
  }
  vocab.Set("\xc4\xa0", id++);  // byte-level spelling of space and newline
  vocab.Set("\xc4\x8a", id++);
  for (char c = 'a'; c <= 'z'; ++c) vocab.Set(std::string(1, c), id++);
  for (char c = 'A'; c <= 'Z'; ++c) vocab.Set(std::string(1, c), id++);
  for (const char* c : {".", ",", "?", "!"}) vocab.Set(c, id++);
  const Json byte_level(Json::Object{{"type", "ByteLevel"},
                                     {"add_prefix_space", false},
                                     {"trim_offsets", true},
                                     {"use_regex", true}});
  return Json(Json::Object{{"version", "1.0"},
                           {"truncation", Json()},
                           {"padding", Json()},
                           {"added_tokens", added},
                           {"normalizer", Json()},
                           {"pre_tokenizer", byte_level},
                           {"post_processor", Json()},
                           {"decoder", byte_level},
                           {"model", Json(Json::Object{{"type", "BPE"},
                                                       {"dropout", Json()},
                                                       {"unk_token", Json()},
                                                       {"continuing_subword_prefix", Json()},
                                                       {"end_of_word_suffix", Json()},
                                                       {"fuse_unk", false},
                                                       {"byte_fallback", false},
                                                       {"vocab", vocab},
                                                       {"merges", Json::MakeArray()}})}});
}

inline Json TinyTokenizerConfig() {
  return Json(Json::Object{{"bos_token", "<s>"},
                           {"eos_token", "</s>"},
                           {"pad_token", "<pad>"},
                           {"add_bos_token", false},
                           {"chat_template", kTinyTemplate},
                           {"tokenizer_class", "PreTrainedTokenizerFast"}});
}

inline Tokenizer TinyTokenizer() {
  return Tokenizer::FromJson(TinyTokenizerJson(), TinyTokenizerConfig(), "tiny");
}

inline ChatTemplate TinyChatTemplate() { return ChatTemplate::Parse(kTinyTemplate, "tiny"); }

// The fixture's weights and configuration with the tokenizer, in `folder` (created).
inline void MakeTinyModel(const std::string& fixture, const std::filesystem::path& folder) {
  const auto from = std::filesystem::path(LEM_SOURCE_DIR) / "tests" / "fixtures" / fixture;
  std::filesystem::create_directories(folder);
  for (const char* name : {"config.json", "model.safetensors"}) {
    std::filesystem::copy_file(from / name, folder / name);
  }
  std::ofstream(folder / "tokenizer.json") << TinyTokenizerJson().Dump();
  std::ofstream(folder / "tokenizer_config.json") << TinyTokenizerConfig().Dump();
}

}  // namespace lem::testing
