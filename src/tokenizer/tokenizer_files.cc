// SPDX-License-Identifier: EUPL-1.2
// Which files of a model hold its tokenizer.
#include <filesystem>

#include "base/error.h"
#include "formats/mapped_file.h"
#include "tokenizer/tokenizer.h"

namespace lem {

Tokenizer Tokenizer::Load(const std::filesystem::path& path) {
  if (path.extension() != ".gguf") {
    Fail(path.string(), ": expected a .gguf file, found another name; try a GGUF file of the model");
  }
  const MappedFile file(path);
  return FromGguf(Gguf::Parse(file.bytes(), path.string()));
}

}  // namespace lem
