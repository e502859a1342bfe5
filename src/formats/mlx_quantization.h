// SPDX-License-Identifier: EUPL-1.2
// What config.json says about MLX quantisation (mlx-lm 3.5).
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "formats/json.h"
#include "tensor/affine.h"

namespace lem {

class MlxQuantization {
 public:
  MlxQuantization() = default;

  // Throws Error that names a mode or a method this program does not read (gptq, awq, mxfp4 ...).
  static MlxQuantization FromConfig(const Json& config, std::string where);

  // The format of a module that has scales. `module` is its tensors' name without ".weight".
  AffineFormat FormatOf(std::string_view module) const;
  bool present() const { return present_; }

 private:
  struct Override {
    bool quantized = true;
    AffineFormat format;
  };

  std::string where_;
  bool present_ = false;
  AffineFormat default_;
  std::map<std::string, Override, std::less<>> overrides_;
};

}  // namespace lem
